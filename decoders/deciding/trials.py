"""Cued trials: which rows belong to which trial, and the decision that ends each.

The same rule picks the rows that a decoder is fitted on and those that a decision rests on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from decoders.deciding.stopping import FLOOR, Evidence, EvidenceKind, Stopping
from decoders.decoder import Event, Moment
from decoders.output import Output, Prediction

__all__ = ["Deciding", "Trial", "Trials", "decide"]


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
    idle
        The class that means that nothing is wanted; being sure of it is no activation.
    stop_error
        Decide a trial as soon as an error has become less likely than this; 0: at its end. How
        sure that is, is learned in calibration.
    evidence
        What a decision rests on: ``"sum"``, the log probabilities of the trial's blocks; or
        ``"newest"``, for a decoder that itself takes in the whole trial so far.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 0.5
    end_s: float = 4.0
    idle: str = ""
    stop_error: float = 0.0
    evidence: EvidenceKind = "sum"

    def __post_init__(self) -> None:
        if not self.end_s > self.start_s >= 0:
            raise ValueError(
                f"trials need 0 <= start_s < end_s; they have start_s = {self.start_s}, "
                f"end_s = {self.end_s}"
            )
        if self.idle and self.idle not in self.classes:
            raise ValueError(
                f"idle = {self.idle!r} is none of the classes, {', '.join(self.classes) or 'none'}"
            )
        if not 0 <= self.stop_error < 0.5:
            raise ValueError(
                f"stop_error is a share of wrong decisions, 0 to below 0.5, not {self.stop_error}"
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
            if e.kind == "marker" and e.label in self.labels
        ]

    def start(self, rate_hz: float, hop: int, stopping: Stopping | None = None) -> Deciding:
        """Start a run on blocks of `hop` samples at `rate_hz`; None: decide at a trial's end."""
        return Deciding(self, rate_hz, hop, stopping)


def decide(rows: Sequence[Sequence[float]], evidence: EvidenceKind = "sum") -> int:
    """Return which class a trial's probabilities, one row a block, speak for together."""
    if evidence == "newest":
        return rows[-1].index(max(rows[-1]))
    sums = [
        math.fsum(math.log(max(p, FLOOR)) for p in column) for column in zip(*rows, strict=True)
    ]
    return sums.index(max(sums))


class Deciding:
    """Adds a decision to the prediction of the block that ends a trial, or is evidence enough.

    The decision is the class whose log probabilities over the trial's blocks sum highest: what
    independent evidence would say. Rests on the samples' indices alone, so a cue that arrives
    late (by less than ``start_s``, or even ``end_s``) leaves it unchanged. Where a block ends
    several trials, since they are short or their cues came late, the prediction has the decision of
    the newest, and follows once more with that of each before it.
    """

    def __init__(
        self, trials: Trials, rate_hz: float, hop: int, stopping: Stopping | None = None
    ) -> None:
        self._trials = trials
        self._rate_hz = rate_hz
        self._stopping = stopping
        self._open: list[_Open] = []
        reach = round(trials.end_s * rate_hz)
        self._past: deque[tuple[int, Sequence[float]]] = deque(maxlen=reach // hop + 2)

    def begin(self, moment: Moment) -> Moment:
        """Open the trials that the block's events cue; say which one the block lies in."""
        if moment.events:
            trials = self._trials.of(moment.events, self._rate_hz)
            self._open += [_Open(trial, self._stopping, self._past) for trial in trials]
        if not self._open:
            return moment
        return replace(moment, cue=max(trial.cue for trial in self._open))

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, their prediction with a decision if a trial is decided here."""
        prediction = next((o for o in outputs if isinstance(o, Prediction)), None)
        if prediction is None:
            return outputs
        self._past.append((moment.sample, prediction.probabilities))
        for trial in self._open:
            trial.take(moment.sample, prediction.probabilities)
        ended = [t for t in self._open if t.is_decided or moment.sample >= t.last]
        if not ended:
            return outputs
        self._open = [t for t in self._open if t not in ended]
        newest, *earlier = reversed(ended)
        before = [d for trial in earlier if (d := self._decide(trial, prediction)) is not None]
        decided = self._decide(newest, prediction) or prediction
        return [*(decided if o is prediction else o for o in outputs), *before]

    def _decide(self, trial: _Open, prediction: Prediction) -> Prediction | None:
        rows = [p for s, p in self._past if trial.first <= s <= trial.until]
        if not rows:
            return None
        label = prediction.labels[decide(rows, self._trials.evidence)]
        return replace(prediction, decision=label, cue_sample=trial.cue)


class _Open:
    """A trial that is not decided, and what its blocks say so far."""

    def __init__(
        self,
        trial: Trial,
        stopping: Stopping | None,
        past: Iterable[tuple[int, Sequence[float]]],
    ) -> None:
        self.cue, self.first, self.last = trial.cue, trial.first, trial.last
        self.until = trial.last
        self.is_decided = False
        self._stopping = stopping
        self._evidence = None if stopping is None else Evidence(stopping.evidence)
        for sample, probabilities in past:
            self.take(sample, probabilities)

    def take(self, sample: int, probabilities: Sequence[float]) -> None:
        """Take a block in; once there is evidence enough, nothing more counts."""
        if self._stopping is None or self._evidence is None or self.is_decided:
            return
        if self.first <= sample <= self.last:
            self._evidence.add(probabilities)
            if self._stopping.reached(self._evidence.values):
                self.is_decided, self.until = True, sample
