"""Cued trials: which rows belong to which trial, and the decision that ends each.

The same rule picks the rows that a decoder is fitted on and those that a decision rests on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from decoders.decoder import Event, Moment
from decoders.output import Output, Prediction

__all__ = ["Deciding", "Trial", "Trials", "decide"]

_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Trial:
    """One cue and the samples that answer it: those from `first` to `last`, both included."""

    cue: int
    label: str
    first: int
    last: int


@dataclass(frozen=True)
class Trials:
    """The ``[trials]`` section of the session file.

    Parameters
    ----------
    labels
        Which marker cues which class: ``{T1 = "fists", T2 = "feet"}``. Other markers cue nothing.
    start_s, end_s
        What counts after a cue: blocks that end within these seconds of it.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 0.5
    end_s: float = 4.0

    def __post_init__(self) -> None:
        if not self.end_s > self.start_s >= 0:
            raise ValueError(
                f"trials need 0 <= start_s < end_s; they have start_s = {self.start_s}, "
                f"end_s = {self.end_s}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order they are first named."""
        return tuple(dict.fromkeys(self.labels.values()))

    def of(self, events: Iterable[Event], rate_hz: float) -> list[Trial]:
        """Return the trials that `events` cue."""
        start, end = round(self.start_s * rate_hz), round(self.end_s * rate_hz)
        return [
            Trial(e.sample, self.labels[e.label], e.sample + start, e.sample + end)
            for e in events
            if e.label in self.labels
        ]

    def start(self, rate_hz: float, hop: int) -> Deciding:
        """Start a run on blocks of `hop` samples at `rate_hz`."""
        return Deciding(self, rate_hz, hop)


def decide(rows: Sequence[Sequence[float]]) -> int:
    """Return which class a trial's probabilities, one row a block, speak for together."""
    evidence = [
        math.fsum(math.log(max(p, _FLOOR)) for p in column) for column in zip(*rows, strict=True)
    ]
    return evidence.index(max(evidence))


class Deciding:
    """Adds a decision to the prediction of the block that ends a trial.

    The decision is the class whose log probabilities over the trial's blocks sum highest: what
    independent evidence would say. Rests on the samples' indices alone, so a cue that arrives
    late (by less than ``start_s``, or even ``end_s``) leaves it unchanged.
    """

    def __init__(self, trials: Trials, rate_hz: float, hop: int) -> None:
        self._trials = trials
        self._rate_hz = rate_hz
        self._open: list[Trial] = []
        reach = round(trials.end_s * rate_hz)
        self._past: deque[tuple[int, Sequence[float]]] = deque(maxlen=reach // hop + 2)

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, their prediction with a decision if a trial ends here."""
        if moment.events:
            self._open += self._trials.of(moment.events, self._rate_hz)
        prediction = next((o for o in outputs if isinstance(o, Prediction)), None)
        if prediction is None:
            return outputs
        self._past.append((moment.sample, prediction.probabilities))
        ended = [t for t in self._open if moment.sample >= t.last]
        if not ended:
            return outputs
        self._open = [t for t in self._open if moment.sample < t.last]
        decided = self._decide(ended[-1], prediction)
        return [decided if o is prediction else o for o in outputs]

    def _decide(self, trial: Trial, prediction: Prediction) -> Prediction:
        rows = [p for s, p in self._past if trial.first <= s <= trial.last]
        if not rows:
            return prediction
        label = prediction.labels[decide(rows)]
        return replace(prediction, decision=label, cue_sample=trial.cue)
