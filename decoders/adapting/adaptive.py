"""A decoder that learns while it runs: rules, versions, and the way back.

Wraps any decoder. A block is decoded with the version that stood when it began; then the rules may
learn from it, and what they learned counts from the next block on. So a version changes between
two blocks, and no sample is lost or decoded twice. What a new version must remember of the past,
it gets by decoding the newest rows again, unheard.

All state is a function of samples and events. It survives gaps: what was learned is not forgotten
because a few samples are missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from decoders.adapting.adaptation import (
    Adaptation,
    Ground,
    Learner,
    Lesson,
    MadeBeside,
    Refused,
    Seen,
    State,
)
from decoders.adapting.aligner import Aligner
from decoders.adapting.shadow import Shadow
from decoders.adapting.versions import Version, Versions
from decoders.deciding.trials import Trials
from decoders.decoder import Decoder, Decoding, Moment, Weights
from decoders.output import Adapted, Output
from decoders.speech.order import Order
from decoders.speech.utterance import Utterance
from decoders.stage import Mismatch
from devices.signal import Chunk, Event, Signal

__all__ = ["Adaptive", "AdaptiveStart"]

_MEMORY_ROWS = 512
"""How many rows a decoder of values may remember, where its recipe does not say `memory_rows`."""


class AdaptiveStart:
    """Starts the decoding of a run, and again after each gap; what was learned stays.

    A `decoders.pipeline.StartDecoding`. One object serves one run.

    Parameters
    ----------
    adaptation
        The section of the session file.
    decoder, labels, unit, weights
        The decoder as it was fitted.
    trials, rate_hz, hop, made
        As in `decoders.adapting.adaptation.Ground`.

    Attributes
    ----------
    adaptive
        The decoding, once it was started.
    """

    def __init__(
        self,
        adaptation: Adaptation,
        decoder: Decoder,
        labels: tuple[str, ...],
        unit: str,
        weights: Weights,
        trials: Trials | None,
        rate_hz: float,
        hop: int,
        made: Mapping[str, Weights],
    ) -> None:
        self.adaptive: Adaptive | None = None
        self._adaptation = adaptation
        self._fitted: Mapping[str, Any] = {
            "decoder": decoder,
            "labels": labels,
            "unit": unit,
            "weights": weights,
            "trials": trials,
            "rate_hz": rate_hz,
            "hop": hop,
            "made": made,
        }

    def __call__(self, features: Signal) -> Decoding:
        """Start, or start anew.

        Raises
        ------
        Mismatch
            A rule cannot work with this decoder.
        """
        if self.adaptive is None:
            ground = Ground(features=features, **self._fitted)
            self.adaptive = Adaptive(self._adaptation, ground)
        else:
            self.adaptive.begin_anew()
        return self.adaptive


class Adaptive:
    """The running state of a decoder that learns.

    Parameters
    ----------
    adaptation
        The section of the session file.
    ground
        The decoder as it was fitted.

    Attributes
    ----------
    versions
        All versions that are kept.
    is_on
        Whether it learns.
    """

    def __init__(self, adaptation: Adaptation, ground: Ground) -> None:
        self._adaptation, self._ground = adaptation, ground
        if adaptation.shadow_trials and ground.decoder.task == "speech":
            raise Mismatch(
                f"shadow_trials = {adaptation.shadow_trials} is for trials and targets; what a "
                "decoder of speech learns is proved on utterances, see proving. Leave it out"
            )
        self._learners: tuple[Learner, ...] = tuple(rule.start(ground) for rule in adaptation.rules)
        self._beside = tuple(one for one in self._learners if isinstance(one, MadeBeside))
        self.versions = Versions(ground.weights, self._states(), adaptation.keep)
        self.is_on = adaptation.on
        rows = 0 if ground.decoder.task == "classes" else _MEMORY_ROWS
        self._memory_rows = int(getattr(ground.decoder, "memory_rows", rows))
        self._recent: deque[tuple[Chunk, Moment]] = deque()
        self._n_recent = 0
        self._use(ground.weights)
        self._shadow: Shadow | None = None
        if adaptation.shadow_trials:
            self._shadow = Shadow(adaptation, ground, self._states())
            self._shadow.begin(self._start)

    def begin_anew(self) -> None:
        """Take in that samples are missing: nothing but what was learned is remembered."""
        self._recent.clear()
        self._n_recent = 0
        for learner in self._learners:
            learner.forget()
        self._use(self.versions.current.weights)
        if self._shadow is not None:
            self._shadow.begin(self._start)

    @property
    def follows_speech(self) -> bool:
        """Whether it learns from utterances, so that it has to hear them."""
        return bool(self._beside)

    def hear(self, utterance: Utterance) -> None:
        """Take in an utterance that has ended with the last block."""
        if self.is_on:
            for learner in self._beside:
                learner.hear(utterance)

    def take_order(self) -> Order | None:
        """Return an order for weights that are to be made beside the loop, if there is one."""
        orders = (learner.take_order() for learner in self._beside)
        order = next((order for order in orders if order is not None), None)
        return None if order is None else replace(order, parent=self.versions.current.hash)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Decode one block; then learn from it."""
        told = [self._obey(e) for e in moment.events if e.kind == "adapt"]
        obeyed = [notice for notice in told if notice is not None]
        if not self.is_on:
            obeyed += self._unheeded(moment.events)
        if not len(chunk):
            return obeyed
        aligned = self._aligner(chunk)
        outputs = self._decoding(aligned, moment)
        self._remember(chunk, moment)
        learned: list[Adapted] = []
        if self.is_on:
            learned = self._learn(Seen(chunk.values, aligned.values, outputs, moment), chunk)
        return [*obeyed, *outputs, *learned] if obeyed or learned else outputs

    def _learn(self, seen: Seen, chunk: Chunk) -> list[Adapted]:
        if self._shadow is not None:
            return self._learn_beside(self._shadow, seen, chunk)
        notices = []
        for learner in self._learners:
            weights = self.versions.current.weights
            lesson = learner.learn(seen, weights)
            if isinstance(lesson, Refused):
                notices.append(_notice(self.versions.current, f"refused: {lesson.reason}"))
            elif lesson is not None:
                notices.append(self._take_over(lesson, {**weights, **lesson.weights}))
        return notices

    def _learn_beside(self, shadow: Shadow, seen: Seen, chunk: Chunk) -> list[Adapted]:
        """Let the candidate take over if it has proved better, and learn."""
        own = shadow.decode(chunk, seen)
        notices = []
        if shadow.is_better():
            notices.append(self._take_over(shadow.lesson(), shadow.weights))
            shadow.took_over()
        for learner in self._learners:
            lesson = learner.learn(own, shadow.weights)
            if not isinstance(lesson, Lesson):
                continue
            weights = {**shadow.weights, **lesson.weights}
            if self._too_far(weights):
                self._put_back(shadow.states)
            else:
                shadow.take(lesson, weights, self._states(), self._start)
        return notices

    def _take_over(self, lesson: Lesson, weights: Weights) -> Adapted:
        if why := self._too_far(weights):
            current = self.versions.current
            self._put_back(current.states)
            return _notice(current, f"refused: {lesson.reason}: {why}")
        version = self.versions.add(lesson, weights, self._states())
        self._use(version.weights)
        return _notice(version, version.reason)

    def _too_far(self, weights: Weights) -> str:
        """Say why such weights must not decode; nothing if they may."""
        limit = self._adaptation.most_change
        for name, array in weights.items():
            calibrated = self._ground.weights.get(name)
            if array is calibrated or not np.issubdtype(array.dtype, np.floating):
                continue
            if not np.isfinite(array).all():
                return f"{name} is not finite"
            if not limit or calibrated is None or calibrated.shape != array.shape:
                continue
            size = float(np.linalg.norm(calibrated))
            moved = float(np.linalg.norm(np.subtract(array, calibrated)))
            if size and moved > limit * size:
                return f"{name} moved by {moved / size:.2f} of its size, more than {limit:g}"
        return ""

    def _obey(self, event: Event) -> Adapted | None:
        """Do what somebody said of the adaptation; None: it is for the learners to do."""
        current = self.versions.current
        match event.label:
            case "on" | "off":
                return self._switch(event.label == "on")
            case "rollback":
                return self._roll_back(int(event.values[0]))
            case "recalibrate" if not self._beside:
                return _notice(current, "refused: no rule here learns when it is asked to")
        return None

    def _unheeded(self, events: Sequence[Event]) -> list[Adapted]:
        """Refuse what was for the learners, since they do not learn."""
        meant = [
            e for e in events if e.kind == "adapt" and e.label not in ("on", "off", "rollback")
        ]
        if meant:
            for learner in self._beside:
                learner.give_up()
        current = self.versions.current
        return [_notice(current, f"refused: {e.label}: the adaptation is off") for e in meant]

    def _switch(self, on: bool) -> Adapted:
        was_on, self.is_on = self.is_on, on
        if on and not was_on:
            for learner in self._learners:
                learner.forget()  # it has not seen what came in between
        return _notice(self.versions.current, "switched on" if on else "switched off")

    def _roll_back(self, number: int) -> Adapted:
        current = self.versions.current
        version = self.versions.back(number)
        if version is None:
            there = ", ".join(str(v.number) for v in self.versions.kept[-8:])
            return _notice(current, f"refused: there is no version {number}; there is {there}")
        # Something was wrong with what was learned since: so no more of it, until somebody says.
        self.is_on = False
        self._put_back(version.states)
        self._use(version.weights)
        if self._shadow is not None:
            self._shadow.return_to(version.weights, version.states, self._start)
        return _notice(version, f"rollback from {current.number}")

    def _use(self, weights: Weights) -> None:
        """Decode with `weights` from now on."""
        self._aligner = Aligner(weights)
        self._decoding = self._start(weights)

    def _start(self, weights: Weights) -> Decoding:
        """Return a decoding with `weights` that has seen the newest rows."""
        ground = self._ground
        decoding = ground.decoder.start(ground.features, ground.labels, ground.unit, weights)
        aligner = Aligner(weights)
        for chunk, moment in self._recent:
            decoding(aligner(chunk), moment)
        return decoding

    def _remember(self, chunk: Chunk, moment: Moment) -> None:
        if not self._memory_rows:
            return
        kept = Chunk(chunk.times.copy(), chunk.values.copy())
        self._recent.append((kept, Moment(moment.sample, moment.time_s)))
        self._n_recent += len(kept)
        while self._n_recent - len(self._recent[0][0]) >= self._memory_rows:
            self._n_recent -= len(self._recent.popleft()[0])

    def _states(self) -> tuple[State, ...]:
        return tuple(dict(learner.state()) for learner in self._learners)

    def _put_back(self, states: Sequence[State]) -> None:
        for learner, state in zip(self._learners, states, strict=True):
            learner.restore(state)


def _notice(version: Version, reason: str) -> Adapted:
    return Adapted(
        version.number,
        version.hash,
        version.parent,
        reason,
        version.first,
        version.last,
        version.n_rows,
        version.n_labels,
    )
