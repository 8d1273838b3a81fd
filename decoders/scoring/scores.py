"""How good decoded is: the score, what chance would score, and how sure that is.

Every function is deterministic; what is drawn at random is drawn from a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_scores", "continuous_scores", "wilson"]

_Z95 = 1.959963984540054
_DRAWS = 2000
_BLOCKS = 40


def class_scores(
    truths: Sequence[int],
    decisions: Sequence[int | None],
    labels: Sequence[str],
    probabilities: Sequence[float] = (),
) -> dict[str, Any]:
    """Score the decisions of trials.

    Parameters
    ----------
    truths, decisions
        Index into `labels` for each trial; None: nothing was decided, which counts as wrong.
    labels
        The classes.
    probabilities
        With two classes, each trial's probability of the second one, to rank trials by.

    Returns
    -------
    ``accuracy`` (per trial), ``ci95`` (Wilson, J. Am. Stat. Assoc. 22, 1927), ``chance`` (the
    share of the most frequent class), ``chance_p95`` (the accuracy that guessing that class stays
    below in 95 % of such runs), ``p_value`` (of guessing so well; binomial, one-sided), ``n``,
    ``labels``, ``confusion`` (row: what was cued; column: what was decided; the last column:
    nothing), and with two classes ``auc`` (chance: 0.5) and ``auc_ci95`` (Hanley & McNeil,
    Radiology 143, 1982).
    """
    n = len(truths)
    confusion = np.zeros((len(labels), len(labels) + 1), np.int64)
    for truth, decision in zip(truths, decisions, strict=True):
        confusion[truth, len(labels) if decision is None else decision] += 1
    right = int(np.trace(confusion))
    chance = max(int(row.sum()) for row in confusion) / n
    scores: dict[str, Any] = {
        "accuracy": right / n,
        "ci95": list(wilson(right, n)),
        "chance": chance,
        "chance_p95": _binomial_quantile(n, chance, 0.95) / n,
        "p_value": _binomial_tail(n, chance, right),
        "n": n,
        "labels": list(labels),
        "confusion": confusion.tolist(),
    }
    if len(labels) == 2 and len(probabilities) == n and len(set(truths)) == 2:
        positive = np.array(truths) == 1
        scores["auc"] = _auc(positive, np.array(probabilities))
        scores["auc_ci95"] = list(_auc_interval(scores["auc"], positive))
    return scores


def continuous_scores(
    truth: NDArray[np.float64], decoded: NDArray[np.float64], names: Sequence[str]
) -> dict[str, Any]:
    """Score decoded values, (n, n_names), in the order of time.

    Returns
    -------
    For each name ``r2`` (1 - residual / total sum of squares), ``correlation`` (Pearson),
    ``ci95`` of R² (percentiles of a bootstrap over blocks of consecutive rows, since neighbours
    are alike); ``chance`` (0: R² of always saying the mean), ``n``, ``names``.
    """
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    left = ((truth - decoded) ** 2).sum(axis=0)
    r2 = np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), 0.0)
    return {
        "r2": r2.tolist(),
        "ci95": _bootstrap_r2(truth, decoded),
        "chance": 0.0,
        "correlation": [_pearson(truth[:, i], decoded[:, i]) for i in range(len(names))],
        "n": len(truth),
        "names": list(names),
    }


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, z2 = right / n, _Z95**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _binomial(n: int, p: float) -> list[float]:
    if not 0 < p < 1:
        return [float(k == n * p) for k in range(n + 1)]
    # By logarithms: the binomial coefficients of a thousand trials are beyond float64.
    whole, win, lose = math.lgamma(n + 1), math.log(p), math.log1p(-p)
    return [
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * win + (n - k) * lose)
        for k in range(n + 1)
    ]


def _binomial_tail(n: int, p: float, least: int) -> float:
    return min(1.0, math.fsum(_binomial(n, p)[least:]))


def _binomial_quantile(n: int, p: float, share: float) -> int:
    reached = np.cumsum(_binomial(n, p))
    return int(np.searchsorted(reached, share))


def _auc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Return how often a positive ranks above a negative; a tie counts half."""
    above = score[positive][:, np.newaxis] - score[~positive]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def _auc_interval(auc: float, positive: NDArray[np.bool_]) -> tuple[float, float]:
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    two_positives, two_negatives = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc)
        + (n_positive - 1) * (two_positives - auc**2)
        + (n_negative - 1) * (two_negatives - auc**2)
    ) / (n_positive * n_negative)
    half = _Z95 * math.sqrt(max(0.0, variance))
    return max(0.0, auc - half), min(1.0, auc + half)


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else 0.0


def _bootstrap_r2(truth: NDArray[np.float64], decoded: NDArray[np.float64]) -> list[list[float]]:
    blocks = np.array_split(np.arange(len(truth)), min(_BLOCKS, len(truth)))
    # R² of any draw of blocks follows from four sums of each.
    n = np.array([len(b) for b in blocks], np.float64)[:, np.newaxis]
    y = np.array([truth[b].sum(axis=0) for b in blocks])
    yy = np.array([(truth[b] ** 2).sum(axis=0) for b in blocks])
    left = np.array([((truth[b] - decoded[b]) ** 2).sum(axis=0) for b in blocks])
    drawn = np.random.default_rng(0).integers(len(blocks), size=(_DRAWS, len(blocks)))
    total = yy[drawn].sum(axis=1) - y[drawn].sum(axis=1) ** 2 / n[drawn].sum(axis=1)
    moves = total > 1e-12 * yy.sum(axis=0)
    r2 = np.where(moves, 1 - left[drawn].sum(axis=1) / np.where(moves, total, 1.0), 0.0)
    low, high = np.percentile(r2, [2.5, 97.5], axis=0)
    return [[float(a), float(b)] for a, b in zip(low, high, strict=True)]
