"""The Riemannian mean of covariance matrices, and the tangent space there: what is fitted on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.spd import Logarithm, LogCholesky, roots, upper_index

__all__ = [
    "exponential",
    "factors",
    "logarithms",
    "riemannian_mean",
    "tangents_of_factors",
    "triangles",
]

_NEAR = 1e-6
_MOST_STEPS = 50


def exponential(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exp A of a symmetric A, or of each of several."""
    values, vectors = np.linalg.eigh(matrix)
    spread = vectors * np.exp(values)[..., np.newaxis, :]
    return np.asarray(spread @ np.swapaxes(vectors, -1, -2), np.float64)


def logarithms(
    full: NDArray[np.float64], whitening: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return ln(W C W) of each C, as a live step does: (k, n, n) of (k, n, n)."""
    return _each(Logarithm(full.shape[1], whitening), full)


def factors(
    full: NDArray[np.float64], whitening: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the same of `LogCholesky`."""
    return _each(LogCholesky(full.shape[1], whitening), full)


def tangents_of_factors(
    full: NDArray[np.float64], whitening: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return L + L' of `factors`: the tangent space of the log-Cholesky metric at the identity."""
    lower = factors(full, whitening)
    return lower + lower.transpose(0, 2, 1)


def _each(chart: Logarithm | LogCholesky, full: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([chart.of(each).reshape(each.shape).copy() for each in full])


def riemannian_mean(full: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n, n) matrix in whose tangent space (k, n, n) positive definite ones sum to 0.

    From the arithmetic mean M ← M^(1/2) exp(a J) M^(1/2), J the mean of the logarithms there
    (Fletcher, Lu, Pizer & Joshi, "Principal geodesic analysis for the study of nonlinear statistics
    of shape", IEEE Trans. Med. Imaging 23, 2004); how far, a, by how J changed in the last step
    (Barzilai & Borwein, "Two-point step size gradient methods", IMA J. Numer. Anal. 8, 1988), which
    takes half as many steps as an a that shrinks each time.
    """
    mean = np.asarray(full.mean(axis=0), np.float64)
    step, before = 1.0, None
    for _ in range(_MOST_STEPS):
        square, inverse = roots(mean)
        middle = logarithms(full, inverse).mean(axis=0)
        if before is not None:
            step = _step(step, before, middle)
        mean = square @ exponential(step * middle) @ square
        mean = (mean + mean.T) / 2
        if np.linalg.norm(middle) <= _NEAR:
            break
        before = middle
    return mean


def _step(step: float, before: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    """Return how far to go along `middle`, after `step` along `before` led there."""
    turned = before - middle
    along = float(np.vdot(before, turned))
    return min(1.0, step * float(np.vdot(before, before)) / along) if along > 0 else 1.0


def triangles(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper triangles of (k, n, n) matrices, off-diagonal values times √2."""
    n = symmetric.shape[1]
    share = np.where(np.eye(n, dtype=bool), 1.0, math.sqrt(2)).ravel()
    index = upper_index(n)
    return np.asarray(symmetric.reshape(len(symmetric), -1)[:, index] * share[index], np.float64)
