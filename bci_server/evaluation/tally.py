"""What was decoded, beside what was meant: gathered block by block, scored at the end."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.speller import Speller, characters_of, wanted
from decoders.deciding.trials import Trial, Trials
from decoders.deciding.uncued import Uncued
from decoders.decoder import Event
from decoders.gathering import Truth
from decoders.output import Command, Prediction, Token, Voice
from decoders.pipeline import Decoded
from decoders.scoring.reliability import reliability
from decoders.scoring.scores import class_scores, continuous_scores
from decoders.scoring.uncued_scores import Listened, uncued_scores
from decoders.stage import Mismatch
from devices.device import Stream
from devices.signal import Chunk

__all__ = ["ClassTally", "ContinuousTally", "Controls"]


@dataclass(frozen=True, slots=True)
class Controls:
    """How to look for false activations, and how to spoil the truth on purpose.

    Parameters
    ----------
    threshold, dwell_s
        An activation is one class at or above this probability for at least so long.
    permute_seed
        Permute the trials' labels among them with this seed; None: leave them.
    shift_s
        Turn the truth by so many seconds within each recording (its end comes to its start).
    skip_s
        Leave the first seconds of the first recording unscored: a model was tuned to them.
    """

    threshold: float = 0.9
    dwell_s: float = 1.0
    permute_seed: int | None = None
    shift_s: float = 0.0
    skip_s: float = 0.0


@dataclass(slots=True)
class _Decided:
    label: str
    sample: int


@dataclass(slots=True)
class _Recording:
    """One recording's predictions and events, bound to samples."""

    rate_hz: float
    samples: list[int] = field(default_factory=list)
    probabilities: list[tuple[float, ...]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    decided: dict[int, _Decided] = field(default_factory=dict)
    uncued: list[_Decided] = field(default_factory=list)
    spelled: dict[int, _Decided] = field(default_factory=dict)
    last: int = -1
    hop: int = 1


class ClassTally:
    """Scores decisions, trial by trial.

    Parameters
    ----------
    trials
        What cues a trial.
    labels
        The classes in the order of the probabilities.
    controls
        Thresholds, and whether to permute.
    uncued
        Decisions are made without a cue, as this says; None: a trial ends with one.
    speller
        What the trials, which are flashes, spell; None: nothing.
    """

    def __init__(
        self,
        trials: Trials,
        labels: tuple[str, ...],
        controls: Controls,
        uncued: Uncued | None = None,
        speller: Speller | None = None,
    ) -> None:
        self._speller = speller
        self._trials = trials
        self._uncued = uncued
        self._labels = labels
        self._controls = controls
        self._recordings: list[_Recording] = []

    def begin(self, stream: Stream, rate_hz: float) -> None:
        """Begin with a recording."""
        self._recordings.append(_Recording(rate_hz))

    def truth(self, truth: Chunk) -> None:
        """Truth beside markers says nothing about trials."""

    def take(self, decoded: Decoded) -> None:
        """Take one block in."""
        now = self._recordings[-1]
        now.last, now.hop = decoded.moment.sample, len(decoded.block)
        now.events += decoded.moment.events
        for output in decoded.outputs:
            if isinstance(output, Token) and output.is_final:
                now.spelled[output.item] = _Decided(output.text, now.last)
            if isinstance(output, Prediction):
                if now.samples[-1:] != [decoded.moment.sample]:  # with several decisions: once
                    now.samples.append(decoded.moment.sample)
                    now.probabilities.append(output.probabilities)
                if output.decision is not None and output.cue_sample is not None:
                    now.decided[output.cue_sample] = _Decided(output.decision, now.last)
                elif output.decision is not None:
                    now.uncued.append(_Decided(output.decision, now.last))

    def end(self) -> None:
        """End a recording."""

    def score(self) -> tuple[int, dict[str, Any]]:
        """Return how many trials were scored, and the scores.

        Raises
        ------
        Mismatch
            There was no whole trial.
        """
        taken = [(r, trial, self._decision(r, trial)) for r, trial in self._scored_trials()]
        if not taken:
            raise Mismatch(
                "no whole trial in the recordings: [trials] waits for the markers "
                f"{', '.join(self._trials.labels)}; there were {self._seen()}"
            )
        truths = self._permuted([self._labels.index(trial.label) for _, trial, _ in taken])
        decisions = [None if said is None else self._labels.index(said.label) for *_, said in taken]
        second = [self._mean_of_second(r, trial) for r, trial, _ in taken]
        waits_s = [
            (said.sample - trial.cue) / r.rate_hz for r, trial, said in taken if said is not None
        ]
        scores = class_scores(truths, decisions, self._labels, second)
        scores["cue_to_decision_s"] = float(np.median(waits_s)) if waits_s else None
        scores["mean_decision_s"] = float(np.mean(waits_s)) if waits_s else None
        scores["false_activations"] = self._false_activations()
        rows = [self._rows(r, trial) for r, trial, _ in taken]
        if any(map(len, rows)):
            said_of = np.array([row for trial in rows for row in trial])
            scores["reliability"] = reliability(said_of, np.repeat(truths, list(map(len, rows))))
        if self._uncued is not None:
            listened = [self._listened(recording) for recording in self._recordings]
            scores["uncued"] = uncued_scores(self._uncued.error_rate, self._trials.idle, listened)
        if self._speller is not None:
            scores["spelled"] = self._spelled(self._speller)
        return len(truths), scores

    def _scored_trials(self) -> Iterator[tuple[_Recording, Trial]]:
        """Yield each whole trial, but for those that a model was tuned to."""
        skip_s = self._controls.skip_s
        for recording in self._recordings:
            for trial in self._whole_trials(recording):
                if trial.cue >= skip_s * recording.rate_hz:
                    yield recording, trial
            skip_s = 0.0

    def _permuted(self, truths: list[int]) -> list[int]:
        if self._controls.permute_seed is None:
            return truths
        order = np.random.default_rng(self._controls.permute_seed).permutation(len(truths))
        return [truths[i] for i in order]

    def _listened(self, recording: _Recording) -> Listened:
        said = [(d.sample, d.label) for d in recording.uncued]
        return Listened(recording.rate_hz, recording.last, self._trials_of(recording), said)

    def _decision(self, recording: _Recording, trial: Trial) -> _Decided | None:
        """Return what was decided in a trial; without a cue the first of it, or idle for none."""
        if self._uncued is None:
            return recording.decided.get(trial.cue)
        inside = [d for d in recording.uncued if trial.first <= d.sample <= trial.last]
        return inside[0] if inside else _Decided(self._trials.idle, trial.last)

    def _rows(self, recording: _Recording, trial: Trial) -> list[tuple[float, ...]]:
        begin = bisect_left(recording.samples, trial.first)
        return recording.probabilities[begin : bisect_left(recording.samples, trial.last + 1)]

    def _spelled(self, speller: Speller) -> dict[str, Any]:
        """Compare what was spelled with what was wanted, where the flashes' markers say so."""
        truth, text, waits_s, n_flashes = [], [], [], []
        for recording in self._recordings:
            found = characters_of(recording.events, speller, self._trials, recording.rate_hz)
            for flashes in found:
                said = recording.spelled.get(flashes[0].sample)
                truth.append(wanted(flashes, speller))
                text.append("" if said is None else said.label)
                if said is not None:
                    begun = flashes[0].sample
                    waits_s.append((said.sample - begun) / recording.rate_hz)
                    n_flashes.append(sum(f.sample <= said.sample for f in flashes))
        known = [(a, b) for a, b in zip(truth, text, strict=True) if a]
        right = sum(a == b for a, b in known)
        return {
            "text": text,
            "wanted": truth,
            "accuracy": right / len(known) if known else None,
            "n": len(known),
            "mean_s": float(np.mean(waits_s)) if waits_s else None,
            "mean_flashes": float(np.mean(n_flashes)) if n_flashes else None,
        }

    def _trials_of(self, recording: _Recording) -> list[Trial]:
        trials = self._trials.of(recording.events, recording.rate_hz)
        return [t for t in trials if t.label in self._labels]

    def _whole_trials(self, recording: _Recording) -> list[Trial]:
        """Return the trials that the recording holds to their last block."""
        return [t for t in self._trials_of(recording) if t.last <= recording.last]

    def _mean_of_second(self, recording: _Recording, trial: Trial) -> float:
        rows = self._rows(recording, trial)
        return float(np.mean([row[1] for row in rows])) if rows else 0.5

    def _seen(self) -> str:
        labels = dict.fromkeys(e.label for r in self._recordings for e in r.events)
        return ", ".join(labels) or "none"

    def _false_activations(self) -> dict[str, float | None]:
        """Count runs of one class, not of idle, at or above the threshold, outside of trials."""
        count, outside_s = 0, 0.0
        for recording in self._recordings:
            block_s = recording.hop / recording.rate_hz
            least = max(1, round(self._controls.dwell_s / block_s))
            active = self._active_outside(recording)
            outside_s += block_s * int((active > -2).sum())
            changed = np.flatnonzero(np.diff(active, prepend=-3, append=-3))
            lengths = np.diff(changed)
            count += int(((active[changed[:-1]] >= 0) & (lengths >= least)).sum())
        minutes = outside_s / 60
        return {
            "per_minute": count / minutes if minutes > 0 else None,
            "minutes": minutes,
            "threshold": self._controls.threshold,
            "dwell_s": self._controls.dwell_s,
        }

    def _active_outside(self, recording: _Recording) -> NDArray[np.int64]:
        """Return, a block, the class that is active; -1: none; -2: within a trial."""
        if not recording.samples:
            return np.empty(0, np.int64)
        probabilities = np.array(recording.probabilities)
        best = probabilities.argmax(axis=1)
        active = np.where(probabilities.max(axis=1) >= self._controls.threshold, best, -1)
        if self._trials.idle:
            active[active == self._labels.index(self._trials.idle)] = -1
        samples = np.array(recording.samples)
        for trial in self._trials_of(recording):
            active[(samples >= trial.cue) & (samples <= trial.last)] = -2
        return active


def _made(decisions: Sequence[_Decided]) -> list[tuple[int, str]]:
    return [(d.sample, d.label) for d in decisions]


class ContinuousTally:
    """Scores values against the truth at the end of each block.

    Parameters
    ----------
    names
        The truth's channels that are decoded.
    controls
        Whether to shift the truth.
    """

    def __init__(self, names: tuple[str, ...], controls: Controls) -> None:
        self._names = names
        self._controls = controls
        self._truths: list[NDArray[np.float64]] = []
        self._decoded: list[NDArray[np.float64]] = []

    def begin(self, stream: Stream, rate_hz: float) -> None:
        """Begin with a recording.

        Raises
        ------
        Mismatch
            It has no truth, or not of the wanted channels.
        """
        if stream.truth_signal is None:
            raise Mismatch(
                f"{stream.identity or 'the device'} has no truth stream to score against; name "
                "one with [target] stream = …"
            )
        self._signal = stream.truth_signal
        if missing := [n for n in self._names if n not in self._signal.channels]:
            raise Mismatch(
                f"the truth lacks {', '.join(missing)}; it has {', '.join(self._signal.channels)}"
            )
        self._half_s = 0.5 / rate_hz
        self._chunks: list[Chunk] = []
        self._times: list[float] = []
        self._values: list[Sequence[float]] = []
        self._first_s = 0.0
        self._begun = False

    def truth(self, truth: Chunk) -> None:
        """Take truth in."""
        self._chunks.append(Chunk(truth.times.copy(), truth.values.astype(np.float64)))

    def take(self, decoded: Decoded) -> None:
        """Take one block in."""
        if not self._begun:
            self._begun, self._first_s = True, decoded.moment.time_s
        for output in decoded.outputs:
            if isinstance(output, Command | Voice):
                self._times.append(decoded.moment.time_s)
                self._values.append(output.values)

    def end(self) -> None:
        """End a recording: pair what was said with what was meant."""
        if not self._times or not self._chunks:
            return
        whole = Truth(
            self._signal,
            np.concatenate([c.times for c in self._chunks]),
            np.concatenate([c.values for c in self._chunks]).astype(np.float64),
        )
        times = np.array(self._times)
        values, fresh = whole.at(times, self._half_s)
        values = values[:, [self._signal.channels.index(n) for n in self._names]]
        fresh &= np.isfinite(values).all(axis=1)
        if self._controls.shift_s and len(times) > 1:
            step_s = float(times[-1] - times[0]) / (len(times) - 1)
            n_rows = round(self._controls.shift_s / step_s)
            # What is no truth where it was is none where it comes to be.
            values, fresh = np.roll(values, n_rows, axis=0), np.roll(fresh, n_rows)
        if not self._truths and self._controls.skip_s:
            fresh &= times >= self._first_s + self._controls.skip_s
        self._truths.append(values[fresh])
        self._decoded.append(np.array(self._values)[fresh])

    def score(self) -> tuple[int, dict[str, Any]]:
        """Return 0 trials, and the scores.

        Raises
        ------
        Mismatch
            Nothing was decoded while there was a truth.
        """
        if sum(map(len, self._truths)) < 2:
            raise Mismatch("nothing was decoded while there was a truth; nothing to score")
        truth, decoded = np.concatenate(self._truths), np.concatenate(self._decoded)
        return 0, continuous_scores(truth, decoded, self._names)
