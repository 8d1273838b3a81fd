r"""When what a trial has shown is enough to decide: a bound on how sure, with a stated error rate.

A trial's evidence for class k, :math:`E_k`, is the sum of the log probabilities of its blocks, or
what the newest block alone says. Blocks overlap and decoders are too sure, so the evidence is
divided by a temperature T, chosen so that :math:`p_k = \operatorname{softmax}_k(E / T)` is most
likely for trials that were left out of the fit (Guo et al., "On calibration of modern neural
networks", ICML 2017). The trial is decided as soon as the log-odds of the best class,
:math:`\ln p / (1 - p)`, reach those of an error rate :math:`\varepsilon`,
:math:`\ln (1 - \varepsilon) / \varepsilon`: Wald's sequential test in its Bayesian form (Wald,
"Sequential tests of statistical hypotheses", Ann. Math. Stat. 16, 1945; for spellers: Mainsah et
al., J. Neural Eng. 12, 2015). Where more than that share of the left-out trials would have been
decided wrongly, the bound is raised until it is not.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Evidence", "EvidenceKind", "Stopping", "fit_stopping", "fit_temperature"]

EvidenceKind = Literal["sum", "newest"]

FLOOR = 1e-12
"""The least probability that counts: one block can rule a class out, but not for ever."""

_TEMPERATURES = np.geomspace(0.02, 500.0, 120)
_NEVER = sys.float_info.max

Trial = tuple[NDArray[np.float64], int]
"""One row a block of a trial, (n_blocks, n_classes), and which class it was."""


class Evidence:
    """What the blocks of one trial say together, so far.

    Parameters
    ----------
    kind
        ``"sum"``: the log probabilities of all blocks; ``"newest"``: of the last one.
    """

    def __init__(self, kind: EvidenceKind) -> None:
        self._adds = kind == "sum"
        self.values: list[float] = []

    def add(self, probabilities: Sequence[float]) -> None:
        """Take one block in."""
        logs = [math.log(max(p, FLOOR)) for p in probabilities]
        if self._adds and self.values:
            self.values = [a + b for a, b in zip(self.values, logs, strict=True)]
        else:
            self.values = logs


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to decide a trial before its end; fitted.

    Parameters
    ----------
    error
        The share of wrong decisions that it was fitted for.
    evidence
        What it rests on: see `Evidence`.
    temperature
        What the evidence is divided by.
    bound
        Log-odds of the best class, divided so, at which the trial is decided.
    """

    error: float
    evidence: EvidenceKind
    temperature: float
    bound: float

    def reached(self, evidence: Sequence[float]) -> bool:
        """Say whether `evidence`, one value a class, is enough."""
        return self.log_odds(evidence) >= self.bound

    def log_odds(self, evidence: Sequence[float]) -> float:
        """Return the log-odds of the best class."""
        scaled = sorted(e / self.temperature for e in evidence)
        best = scaled.pop()
        if not scaled:
            return math.inf
        return best - scaled[-1] - math.log(math.fsum(math.exp(e - scaled[-1]) for e in scaled))

    def when(self, rows: NDArray[np.float64]) -> tuple[int, int, bool]:
        """Return which block decides a trial, for which class, and whether before its end.

        Parameters
        ----------
        rows
            (n_blocks, n_classes) probabilities.
        """
        evidence = _evidence(rows, self.evidence)
        crossed = np.flatnonzero(_log_odds(evidence, self.temperature) >= self.bound)
        at = int(crossed[0]) if len(crossed) else len(rows) - 1
        return at, int(evidence[at].argmax()), len(crossed) > 0


def fit_stopping(trials: Sequence[Trial], evidence: EvidenceKind, error: float) -> Stopping:
    """Choose temperature and bound on trials that the decoder was not fitted on.

    Parameters
    ----------
    trials
        What the decoder said in each, and the truth.
    evidence
        What a decision rests on.
    error
        The share of wrong decisions, among those before a trial's end, not to be passed.
    """
    seen = [(_evidence(rows, evidence), truth) for rows, truth in trials]
    temperature = fit_temperature(seen)
    odds = [(_log_odds(e, temperature), e.argmax(axis=1) == truth) for e, truth in seen]
    bound = math.log((1 - error) / error)
    while True:
        decided = [_first(margins, right, bound) for margins, right in odds]
        wrong = [margin for margin, right in filter(None, decided) if not right]
        if len(wrong) <= error * sum(d is not None for d in decided):
            return Stopping(error, evidence, temperature, bound)
        bound = float(min(np.nextafter(min(wrong), math.inf), _NEVER))


def fit_temperature(trials: Sequence[Trial]) -> float:
    """Return the temperature that makes what was true most likely.

    Parameters
    ----------
    trials
        The evidence after each block of a trial, (n_blocks, n_classes), and which class it was.
    """
    likelihoods = [sum(_likelihood(e, truth, t) for e, truth in trials) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(likelihoods))])


def _first(
    margins: NDArray[np.float64], right: NDArray[np.bool_], bound: float
) -> tuple[float, bool] | None:
    crossed = np.flatnonzero(margins >= bound)
    if not len(crossed):
        return None
    return float(margins[crossed[0]]), bool(right[crossed[0]])


def _evidence(rows: NDArray[np.float64], kind: EvidenceKind) -> NDArray[np.float64]:
    logs = np.log(np.maximum(rows, FLOOR))
    return np.cumsum(logs, axis=0) if kind == "sum" else logs


def _likelihood(evidence: NDArray[np.float64], truth: int, temperature: float) -> float:
    """Return the mean over the blocks of the log probability of what was true."""
    scaled = evidence / temperature
    return float(np.mean(scaled[:, truth] - _log_sum(scaled)))


def _log_odds(evidence: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return (n_blocks,): ln p / (1 - p) of the best class, exact where p is all but 1."""
    if evidence.shape[1] == 1:
        return np.full(len(evidence), _NEVER)
    scaled = np.sort(evidence / temperature, axis=1)
    return np.minimum(scaled[:, -1] - _log_sum(scaled[:, :-1]), _NEVER)


def _log_sum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = rows.max(axis=1, keepdims=True)
    return np.asarray(highest[:, 0] + np.log(np.exp(rows - highest).sum(axis=1)), np.float64)
