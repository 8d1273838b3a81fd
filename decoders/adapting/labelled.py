"""Rows of a trial and what was meant by them, together as soon as both are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground
from decoders.deciding.stopping import EvidenceKind
from decoders.deciding.trials import decide
from decoders.decoder import Event, Moment
from decoders.stage import Mismatch

__all__ = ["LATE_S", "LabelSource", "Labelled", "Lot"]

LabelSource = Literal["cues", "feedback", "own"]

LATE_S = 10.0
"""How long after its rows a label may come."""
_MOST_ONE_SIDED = 0.9
_LAST_OWN = 20


@dataclass(frozen=True, slots=True)
class Lot:
    """The rows of one trial.

    Parameters
    ----------
    label
        Index of the class that was meant.
    rows
        (n, n_features).
    probabilities
        (n, n_classes), what was said of each row when it came.
    first, last
        Samples of the first and the last row.
    """

    label: int
    rows: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    first: int
    last: int


class Labelled:
    """Keeps rows until somebody says what they were.

    Parameters
    ----------
    ground
        What the rows are of.
    source
        ``"cues"``: the markers of ``[trials]`` say it. ``"feedback"``: events of the kind
        ``label``, each of the trial's length before its sample. ``"own"``: trials are cued, but
        the decoder's own decision is taken for the label, if it is confident; without trials each
        stretch of 1 s.
    confidence
        For ``"own"``: the least mean probability of the class decided on.

    Attributes
    ----------
    evidence
        What a decision over a trial's rows rests on, as in `decoders.deciding.trials.Trials`.

    Notes
    -----
    Labels of one's own can run away: a decoder that says one thing only would be confirmed in it.
    When more than 90 % of the last 20 were of one class (of the share that equal classes have),
    further ones of that class do not count.

    Raises
    ------
    Mismatch
        There are no trials to be cued.
    """

    def __init__(self, ground: Ground, source: LabelSource, confidence: float = 0.9) -> None:
        trials = ground.trials
        if source == "cues" and (trials is None or not trials.labels):
            raise Mismatch(
                'labels = "cues" needs the [trials] of a session; with labels = "feedback" a '
                "client says what was meant"
            )
        self._ground, self._source, self._confidence = ground, source, confidence
        self.evidence: EvidenceKind = "sum" if trials is None else trials.evidence
        span_s = trials.end_s - trials.start_s if trials is not None else 1.0
        self._span = round(span_s * ground.rate_hz)
        reach_s = LATE_S + (trials.end_s if trials is not None else span_s)
        n = max(2, round(reach_s / ground.block_s))
        self._samples: deque[int] = deque(maxlen=n)
        self._rows: deque[NDArray[np.float64]] = deque(maxlen=n)
        self._said: deque[tuple[float, ...]] = deque(maxlen=n)
        self._open: list[tuple[int, int, int]] = []
        self._own: deque[int] = deque(maxlen=_LAST_OWN)
        self._own_from = 0

    def take(
        self, row: NDArray[np.floating], probabilities: Sequence[float], moment: Moment
    ) -> list[Lot]:
        """Take one row in; return the trials that are complete now."""
        self._samples.append(moment.sample)
        self._rows.append(np.array(row, np.float64))
        self._said.append(tuple(probabilities))
        for event in moment.events:
            self._hear(event)
        if self._source == "own" and self._ground.trials is None:
            self._open_own(moment.sample)
        ended = [trial for trial in self._open if trial[2] <= moment.sample]
        self._open = [trial for trial in self._open if trial[2] > moment.sample]
        return [lot for trial in ended if (lot := self._lot(*trial)) is not None]

    def forget(self) -> None:
        """Let go of rows whose label has not come."""
        self._samples.clear()
        self._rows.clear()
        self._said.clear()
        self._open.clear()
        self._own_from = 0

    def _hear(self, event: Event) -> None:
        ground = self._ground
        if self._source == "feedback":
            if event.kind == "label" and event.label in ground.labels:
                label = ground.labels.index(event.label)
                self._open.append((label, event.sample - self._span, event.sample))
        elif ground.trials is not None:
            for trial in ground.trials.of([event], ground.rate_hz):
                if trial.label in ground.labels:
                    label = ground.labels.index(trial.label)
                    self._open.append((label, trial.first, trial.last))

    def _open_own(self, sample: int) -> None:
        if not self._own_from:
            self._own_from = sample
        if sample - self._own_from >= self._span:
            self._open.append((0, self._own_from, sample))
            self._own_from = sample + 1

    def _lot(self, label: int, first: int, last: int) -> Lot | None:
        at = [i for i, s in enumerate(self._samples) if first <= s <= last]
        if not at:
            return None
        said = np.array([self._said[i] for i in at])
        if self._source == "own":
            label = decide(said.tolist(), self.evidence)
            if not self._is_credible(label, float(said[:, label].mean())):
                return None
        rows = np.array([self._rows[i] for i in at])
        return Lot(label, rows, said, self._samples[at[0]], self._samples[at[-1]])

    def _is_credible(self, label: int, confidence: float) -> bool:
        """Say whether a label of its own may teach; counts it if so."""
        if confidence < self._confidence:
            return False
        share = self._own.count(label) / _LAST_OWN
        if len(self._own) == _LAST_OWN and share > _MOST_ONE_SIDED:
            return False
        self._own.append(label)
        return True
