"""Whether probabilities mean what they say: how often what is said with p is true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["reliability"]

_BINS = 10
_FLOOR = 1e-12


def reliability(said: NDArray[np.float64], truths: NDArray[np.int64]) -> dict[str, Any]:
    r"""Compare what the likeliest class was said to be with how often it was true.

    Parameters
    ----------
    said
        (n, n_classes) probabilities.
    truths
        (n,) index of the true class.

    Returns
    -------
    ``table``: for each tenth of the probability's range that occurs ``from``, ``to``, ``n``,
    ``said`` (mean probability of the likeliest class) and ``true`` (how often it was it).
    ``ece``: :math:`\sum_b n_b |\text{said}_b - \text{true}_b| / n` (Naeini et al., "Obtaining well
    calibrated probabilities using Bayesian binning", AAAI 2015). ``brier``: mean squared distance
    of all probabilities from what was true, summed over classes (Brier, Mon. Weather Rev. 78,
    1950). ``log_loss``: mean of -ln p of what was true; ``log_loss_chance``: that of always saying
    how frequent each class is here. ``n``: rows.
    """
    n, k = said.shape
    top = said.max(axis=1)
    right = said.argmax(axis=1) == truths
    number = np.minimum((top * _BINS).astype(np.int64), _BINS - 1)
    table = []
    for b in range(_BINS):
        inside = number == b
        if inside.any():
            table.append(
                {
                    "from": b / _BINS,
                    "to": (b + 1) / _BINS,
                    "n": int(inside.sum()),
                    "said": float(top[inside].mean()),
                    "true": float(right[inside].mean()),
                }
            )
    hot = np.eye(k)[truths]
    shares = hot.mean(axis=0)
    return {
        "table": table,
        "ece": sum(row["n"] * abs(row["said"] - row["true"]) for row in table) / n,
        "brier": float(((said - hot) ** 2).sum(axis=1).mean()),
        "log_loss": float(-np.log(np.maximum(said[np.arange(n), truths], _FLOOR)).mean()),
        "log_loss_chance": float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()),
        "n": n,
    }
