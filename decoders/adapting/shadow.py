"""A candidate that learns beside the decoder, on the same blocks, until it has proved better."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Adaptation, Ground, Lesson, Seen, State
from decoders.adapting.aligner import Aligner
from decoders.adapting.intent import Intent
from decoders.adapting.labelled import Labelled
from decoders.deciding.trials import decide
from decoders.decoder import Decoding, Weights
from decoders.output import Command, Output, Prediction, Voice
from devices.signal import Chunk

__all__ = ["Shadow"]

_LONGEST_S = 5.0
_SURE = 2.0
"""How many standard errors of the paired difference a candidate must be better by."""

Start = Callable[[Weights], Decoding]
"""Starts a decoding with these weights, that has seen the newest rows."""


class Shadow:
    """Decodes what the decoder decodes, and is compared with it, trial by trial.

    Both are judged by the same trials: of classes by the decision over each labelled trial, of
    values by the mean cosine of what was said and the way to the target (or what somebody told was
    meant), between two targets, or over 5 s.
    Judged first, a trial then teaches the candidate; so nobody is judged by what it was taught.

    Parameters
    ----------
    adaptation
        The section of the session file.
    ground
        The decoder as it was fitted.

    Attributes
    ----------
    weights
        The candidate's.
    states
        What the learners knew when it got them.
    """

    def __init__(self, adaptation: Adaptation, ground: Ground, states: Sequence[State]) -> None:
        self.weights = ground.weights
        self.states = tuple(states)
        self._trials, self._margin = adaptation.shadow_trials, adaptation.shadow_margin
        self._aligner = Aligner(self.weights)
        self._decoding: Decoding | None = None
        self._lesson: Lesson | None = None
        self._scores: deque[tuple[float, float]] = deque(maxlen=self._trials)
        self._judge: _ClassJudge | _ValueJudge = (
            _ClassJudge(Labelled(ground, adaptation.shadow_labels))
            if ground.decoder.task == "classes"
            else _ValueJudge(Intent(ground), max(1, round(_LONGEST_S / ground.block_s)))
        )

    def decode(self, chunk: Chunk, seen: Seen) -> Seen:
        """Decode what the decoder decoded, and let both be judged; return what was said here."""
        assert self._decoding is not None, "begin first"
        aligned = self._aligner(chunk)
        own = replace(seen, rows=aligned.values, outputs=self._decoding(aligned, seen.moment))
        if self._lesson is not None:
            self._scores.extend(self._judge.take(seen, own))
        else:
            self._judge.take(seen, own)
        return own

    def begin(self, start: Start) -> None:
        """Decode from the next block on; also after a gap."""
        self._decoding = start(self.weights)
        self._judge.forget()

    def take(self, lesson: Lesson, weights: Weights, states: Sequence[State], start: Start) -> None:
        """Take in what the candidate learned."""
        first = lesson.first if self._lesson is None else self._lesson.first
        before = (0, 0) if self._lesson is None else (self._lesson.n_rows, self._lesson.n_labels)
        self._lesson = replace(
            lesson,
            first=first,
            n_rows=before[0] + lesson.n_rows,
            n_labels=before[1] + lesson.n_labels,
        )
        self._decode_with(weights, states, start)

    def is_better(self) -> bool:
        """Say whether it was better by the margin, and by more than chance would have it."""
        if len(self._scores) < self._trials:
            return False
        scores = np.array(self._scores)
        gains = scores[:, 1] - scores[:, 0]
        gain, by_chance = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
        return gain > 0 and gain >= self._margin and gain > _SURE * by_chance

    def lesson(self) -> Lesson:
        """Return what it learned, with how much better it was."""
        assert self._lesson is not None, "nothing was learned"
        live, own = np.mean(self._scores, axis=0)
        said = f"shadow: {own:.3f} against {live:.3f} on {len(self._scores)} trials"
        return replace(self._lesson, reason=f"{said}; {self._lesson.reason}")

    def took_over(self) -> None:
        """Begin to prove itself anew, from where it is."""
        self._lesson = None
        self._scores.clear()

    def return_to(self, weights: Weights, states: Sequence[State], start: Start) -> None:
        """Be what the decoder is."""
        self.took_over()
        self._decode_with(weights, states, start)

    def _decode_with(self, weights: Weights, states: Sequence[State], start: Start) -> None:
        self.weights, self.states = weights, tuple(states)
        self._aligner = Aligner(weights)
        self._decoding = start(weights)


class _ClassJudge:
    """Says of each labelled trial whether each of the two got it right."""

    def __init__(self, labelled: Labelled) -> None:
        self._labelled = labelled

    def take(self, live: Seen, own: Seen) -> list[tuple[float, float]]:
        both = [_probabilities(seen.outputs) for seen in (live, own)]
        if both[0] is None or both[1] is None:
            return []
        # What the candidate said takes the place of the features: both are wanted together.
        row, labelled = np.array(both[1], np.float64), self._labelled
        return [
            (
                float(decide(lot.probabilities.tolist(), labelled.evidence) == lot.label),
                float(decide(lot.rows.tolist(), labelled.evidence) == lot.label),
            )
            for lot in labelled.take(row, both[0], live.moment)
        ]

    def forget(self) -> None:
        self._labelled.forget()


class _ValueJudge:
    """Says of the way to each target how well each of the two pointed along it."""

    def __init__(self, intent: Intent, longest: int) -> None:
        self._intent, self._longest = intent, longest
        self._cosines: list[tuple[float, float]] = []

    def take(self, live: Seen, own: Seen) -> list[tuple[float, float]]:
        said, would = _values(live.outputs), _values(own.outputs)
        if said is None or would is None:
            return []
        trials = []
        is_new = any(e.kind == "target" for e in live.moment.events)
        if self._cosines and (is_new or len(self._cosines) >= self._longest):
            mean = np.mean(self._cosines, axis=0)
            trials = [(float(mean[0]), float(mean[1]))]
            self._cosines = []
        way = self._intent.way(said, live.moment)
        if way is not None:
            self._cosines.append((_cosine(said, way), _cosine(would, way)))
        return trials

    def forget(self) -> None:
        self._cosines = []
        self._intent.forget()


def _probabilities(outputs: Sequence[Output]) -> tuple[float, ...] | None:
    return next((o.probabilities for o in outputs if isinstance(o, Prediction)), None)


def _values(outputs: Sequence[Output]) -> NDArray[np.float64] | None:
    return next((np.array(o.values) for o in outputs if isinstance(o, Command | Voice)), None)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0
