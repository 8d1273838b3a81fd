"""Linear discriminants: the weights that tell classes of one shared covariance apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights

__all__ = ["Discriminants", "Shrinkage", "discriminants"]

Shrinkage = float | Literal["auto"]
"""0 (none) to 1 (a multiple of the identity); ``"auto"``: Ledoit-Wolf, of features of one scale."""


@dataclass(frozen=True)
class Discriminants:
    """What tells the classes apart.

    Parameters
    ----------
    coef
        (k, n): the covariance's inverse times each class's mean.
    means
        (k, n), of the classes.
    covariance
        (n, n), within the classes.
    """

    coef: NDArray[np.float64]
    means: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def weights(self) -> Weights:
        """Return ``coef`` and ``intercept`` for classes that are equally likely.

        Of two classes the first one's are zeros: the difference tells them apart.
        """
        coef, intercept = self.coef, -0.5 * (self.means * self.coef).sum(axis=1)
        if len(coef) == 2:
            coef, intercept = coef - coef[:1], intercept - intercept[:1]
        return {"coef": coef, "intercept": intercept}


def discriminants(
    rows: NDArray[np.float64],
    targets: NDArray[np.generic],
    n_classes: int,
    shrinkage: Shrinkage = "auto",
    *,
    by_size: bool = False,
) -> Discriminants:
    """Return what scikit-learn's solver ``lsqr`` of linear discriminant analysis gives.

    By Cholesky instead of singular values: those of the 1,664 steps of 64 channels' responses take
    five seconds, of 2,080 coordinates a quarter of a minute.

    Parameters
    ----------
    rows, targets
        (n_rows, n) features, and the class of each, 0 to `n_classes` - 1.
    shrinkage
        Of each class's covariance.
    by_size
        Each class's covariance weighs as its rows are many, not as much as the others'.
    """
    parts = [rows[targets == k] for k in range(n_classes)]
    shares = [len(part) / len(rows) if by_size else 1 / n_classes for part in parts]
    means = np.stack([part.mean(axis=0) for part in parts])
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for share, part in zip(shares, parts, strict=True):
        covariance += share * _shrunk(part, shrinkage)
    return Discriminants(_solved(covariance, means), means, covariance)


def _shrunk(part: NDArray[np.float64], shrinkage: Shrinkage) -> NDArray[np.float64]:
    from sklearn.covariance import empirical_covariance, ledoit_wolf, shrunk_covariance

    if shrinkage != "auto":
        return np.asarray(shrunk_covariance(empirical_covariance(part), shrinkage), np.float64)
    scale = part.std(axis=0)
    scale[scale == 0] = 1.0
    shrunk, _ = ledoit_wolf((part - part.mean(axis=0)) / scale)
    return np.asarray(scale[:, np.newaxis] * shrunk * scale, np.float64)


def _solved(covariance: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq

    least = len(covariance) * np.finfo(np.float64).eps
    try:
        factor = cho_factor(covariance)
        pivots = np.diag(factor[0]) ** 2
        is_regular = pivots.min() > pivots.max() * least
    except LinAlgError:
        is_regular = False
    if is_regular:
        return np.asarray(cho_solve(factor, means.T).T, np.float64)
    solved, *_ = lstsq(covariance, means.T, cond=least)  # of all that solve it, the least
    return np.asarray(solved.T, np.float64)
