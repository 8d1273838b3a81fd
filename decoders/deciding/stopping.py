r"""When what a trial has shown is enough to decide: a bound on how sure, with a stated error rate.

A trial's evidence for class k, :math:`E_k`, is the sum of the log probabilities of its blocks, or
what the newest block alone says. Blocks overlap and decoders are too sure, so the evidence is
divided by a temperature T, chosen so that :math:`p_k = \operatorname{softmax}_k(E / T)` is most
likely for trials that were left out of the fit (Guo et al., "On calibration of modern neural
networks", ICML 2017). The trial is decided as soon as the log-odds of the best class,
:math:`\ln p / (1 - p)`, reach a bound: Wald's sequential test in its Bayesian form (Wald,
"Sequential tests of statistical hypotheses", Ann. Math. Stat. 16, 1945; for spellers: Mainsah et
al., J. Neural Eng. 12, 2015).

The bound is what a wrong class ever reaches, at any block, in no more than the share
:math:`\varepsilon` of trials. Few trials are left out, so that is read from the tail of the highest
log-odds of a wrong class in each: above their upper third they fall off as an exponential (peaks
over threshold; Coles, "An introduction to statistical modeling of extreme values", 2001). It is
never below :math:`\ln (1 - \varepsilon) / \varepsilon`, what a true probability asks for.
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
_TAIL = 1 / 3
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
        """Return the log-odds of the best class, from one value a class."""
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
        crossed = np.flatnonzero(_log_odds(evidence / self.temperature).max(axis=1) >= self.bound)
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
        The share of trials, not to be passed, in which a wrong class reaches the bound.
    """
    seen = [(_evidence(rows, evidence), truth) for rows, truth in trials]
    temperature = fit_temperature(seen)
    peaks = np.sort([_highest_wrong(e / temperature, truth) for e, truth in seen])
    n = len(peaks)
    n_tail = max(1, round(_TAIL * n))
    threshold = float(peaks[max(0, n - n_tail - 1)])
    excess = float((peaks[n - n_tail :] - threshold).mean())
    bound = threshold + excess * math.log(n_tail / n / error)
    sure = math.log((1 - error) / error)
    return Stopping(error, evidence, temperature, min(max(bound, sure), _NEVER))


def fit_temperature(trials: Sequence[Trial]) -> float:
    """Return the temperature that makes what was true most likely.

    Parameters
    ----------
    trials
        The evidence after each block of a trial, (n_blocks, n_classes), and which class it was.
    """
    rows = np.concatenate([evidence for evidence, _ in trials])
    lengths = [len(evidence) for evidence, _ in trials]
    truths = np.repeat([truth for _, truth in trials], lengths)
    weights = np.repeat([1 / n for n in lengths], lengths)
    own = rows[np.arange(len(rows)), truths]
    likelihoods = [weights @ (own / t - _log_sum(rows / t)) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(likelihoods))])


def _highest_wrong(scaled: NDArray[np.float64], truth: int) -> float:
    """Return the highest log-odds that a wrong class has after any block."""
    if scaled.shape[1] == 1:
        return -_NEVER
    return float(np.delete(_log_odds(scaled), truth, axis=1).max())


def _evidence(rows: NDArray[np.float64], kind: EvidenceKind) -> NDArray[np.float64]:
    logs = np.log(np.maximum(rows, FLOOR))
    return np.cumsum(logs, axis=0) if kind == "sum" else logs


def _log_odds(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each block and class, ln p / (1 - p); exact where p is all but 1."""
    n = scaled.shape[1]
    if n == 1:
        return np.full(scaled.shape, _NEVER)
    others = np.stack([_log_sum(np.delete(scaled, k, axis=1)) for k in range(n)], axis=1)
    return np.clip(scaled - others, -_NEVER, _NEVER)


def _log_sum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = rows.max(axis=1, keepdims=True)
    return np.asarray(highest[:, 0] + np.log(np.exp(rows - highest).sum(axis=1)), np.float64)
