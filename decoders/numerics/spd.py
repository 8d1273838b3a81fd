r"""Covariance matrices as rows of features, and their geometry.

A symmetric (n, n) matrix travels as the n (n + 1) / 2 values of its upper triangle, row by row:
:math:`c_{11}, c_{12}, \dots, c_{1n}, c_{22}, \dots`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.eigen import cholesky_into, eigenvectors_into
from decoders.numerics.window import FLOOR
from decoders.stage import Mismatch

__all__ = [
    "LogCholesky",
    "LogPowers",
    "Logarithm",
    "Metric",
    "Unfolding",
    "check_metric",
    "coordinates_for",
    "inverse_root",
    "matrices",
    "n_triangle",
    "order",
    "power_weights",
    "roots",
    "symmetric_index",
    "upper_index",
]

Metric = Literal["riemann", "logeuclid"]

_TINY = np.finfo(np.float64).tiny

_LEAST = 1e-12
"""The least eigenvalue that counts, as a share of the greatest."""

_MOST_EIGENVECTORS = 32
"""Up to so many channels a step with eigenvectors takes well below a millisecond, on slower cores
too: see docs/classical.md."""


def check_metric(metric: str, known: Sequence[str] = ("riemann", "logeuclid")) -> None:
    """Refuse a metric that there is not.

    Raises
    ------
    ValueError
        Says which there are.
    """
    if metric not in known:
        choice = " or ".join(f'"{name}"' for name in known)
        raise ValueError(f"metric must be {choice}, not {metric!r}")


def coordinates_for(n_values: int) -> Literal["riemann", "logchol"]:
    """Return the metric whose coordinates a step has time for, of matrices of so many values."""
    return "riemann" if order(n_values) <= _MOST_EIGENVECTORS else "logchol"


def n_triangle(n: int) -> int:
    """Return how many values an (n, n) matrix travels as."""
    return n * (n + 1) // 2


def order(n_values: int) -> int:
    """Return n of the matrix that travels as `n_values` values.

    Raises
    ------
    Mismatch
        No symmetric matrix has so many.
    """
    n = (math.isqrt(8 * n_values + 1) - 1) // 2
    if n < 1 or n_triangle(n) != n_values:
        raise Mismatch(
            f"{n_values} features are no covariance matrix (1, 3, 6, 10 … values); "
            "the last stage must be covariance"
        )
    return n


def upper_index(n: int) -> NDArray[np.intp]:
    """Return where, in a flattened (n, n) matrix, the values of its upper triangle are."""
    rows, columns = np.triu_indices(n)
    return np.asarray(rows * n + columns, np.intp)


def symmetric_index(n: int) -> NDArray[np.intp]:
    """Return an (n, n) index that makes the matrix of a triangle: ``triangle[index]``."""
    index = np.zeros((n, n), np.intp)
    rows, columns = np.triu_indices(n)
    index[rows, columns] = index[columns, rows] = np.arange(n_triangle(n))
    return index


def matrices(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n_rows, n, n) matrices of (n_rows, n (n + 1) / 2) triangles, to fit on.

    Raises
    ------
    Mismatch
        Not all of them are positive definite.
    """
    full = triangles[:, symmetric_index(order(triangles.shape[1]))]
    values = np.linalg.eigvalsh(full)
    floor = values[:, -1] * len(full[0]) * np.finfo(np.float64).eps
    if bad := int((values[:, 0] <= floor).sum()):
        raise Mismatch(
            f"{bad} of {len(full)} covariance matrices are not positive definite: channels "
            "depend on each other (an average reference does that), one is flat, or the window "
            "is too short. Raise the shrinkage of the covariance stage, or drop channels"
        )
    return full


def inverse_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric A^(-1/2) of a positive definite A."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float64)


class Unfolding:
    """One triangle → its (n, n) matrix, in the same memory each time.

    Parameters
    ----------
    n
        Order of the matrix.
    """

    def __init__(self, n: int) -> None:
        self._index = symmetric_index(n)
        self._full = np.empty((n, n))

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the matrix; it holds until the next call."""
        return row.take(self._index, out=self._full, mode="clip")  # into it without a copy between


class _Whitened(ABC):
    """One triangle of C → W C W, in the same memory each time.

    Parameters
    ----------
    n
        Order of the matrix.
    whitening
        W, (n, n), symmetric; None: the identity.
    """

    def __init__(self, n: int, whitening: NDArray[np.float64] | None = None) -> None:
        self._unfold = Unfolding(n)
        self._whitening = whitening
        self._half, self._white, self._out = np.empty((3, n, n))
        self._flat = self._out.ravel()

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n n,); it holds until the next call."""
        return self.of(self._unfold(row))

    def of(self, full: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same of C as a whole, (n, n)."""
        if self._whitening is not None:
            np.dot(self._whitening, full, out=self._half)
            full = np.dot(self._half, self._whitening, out=self._white)
        self._put(full)
        return self._flat

    @abstractmethod
    def _put(self, white: NDArray[np.float64]) -> None:
        """Put what is wanted of W C W into ``_out``."""


class Logarithm(_Whitened):
    """One triangle of C → ln(W C W), flattened, in the same memory each time.

    What of its eigenvalues rounds to 0 or below is tiny.
    """

    def __init__(self, n: int, whitening: NDArray[np.float64] | None = None) -> None:
        super().__init__(n, whitening)
        self._scaled = np.empty((n, n))
        self._eigen = np.empty(n), np.empty((n, n))

    def _put(self, white: NDArray[np.float64]) -> None:
        eigenvectors_into(white, self._eigen)
        values, vectors = self._eigen
        if values.item(0) < _TINY:
            np.maximum(values, _TINY, out=values)
        np.log(values, out=values)
        np.multiply(vectors, values, out=self._scaled)
        np.dot(self._scaled, vectors.T, out=self._out)


class LogCholesky(_Whitened):
    """One triangle of C → L of W C W = L L', the logarithms of its diagonal there, flattened.

    In these coordinates the log-Cholesky metric is flat (Lin, "Riemannian geometry of symmetric
    positive definite matrices via Cholesky decomposition", SIAM J. Matrix Anal. Appl. 40, 2019). A
    factor takes a small share of the time of eigenvectors.
    """

    def __init__(self, n: int, whitening: NDArray[np.float64] | None = None) -> None:
        super().__init__(n, whitening)
        self._safe = np.empty((n, n))
        self._safe_diagonal, self._diagonal = self._safe.ravel()[:: n + 1], self._flat[:: n + 1]

    def _put(self, white: NDArray[np.float64]) -> None:
        # What rounds to 0 or below has no factor; so much more on the diagonal, and it has.
        self._safe[:] = white
        self._safe_diagonal += self._safe_diagonal.sum() * _LEAST + _TINY
        cholesky_into(self._safe, self._out)
        np.log(self._diagonal, out=self._diagonal)


def roots(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the symmetric A^(1/2) and A^(-1/2), of any symmetric A.

    Directions without power count as having next to none, so that both are finite.
    """
    values, vectors = np.linalg.eigh(matrix)
    np.maximum(values, max(_LEAST * float(values[-1]), FLOOR), out=values)
    np.sqrt(values, out=values)
    square, inverse = (vectors * values) @ vectors.T, (vectors / values) @ vectors.T
    return np.asarray(square, np.float64), np.asarray(inverse, np.float64)


def power_weights(filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for (n_filters, n) spatial filters, what gives their powers from a triangle.

    w' C w is linear in the values of C: (n_filters, n (n + 1) / 2) weights, one row a filter.
    """
    n = filters.shape[1]
    products = (filters[:, :, np.newaxis] * filters[:, np.newaxis, :]).reshape(-1, n * n)
    weights = np.zeros((len(filters), n_triangle(n)))
    np.add.at(weights.T, symmetric_index(n).ravel(), products.T)
    return weights


class LogPowers:
    """One row of covariances → ln of the power behind each spatial filter.

    Parameters
    ----------
    weights
        (n_filters, n_features): what `power_weights` gives, over all features.
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self._weights = np.ascontiguousarray(weights)
        self._out = np.empty(len(weights))

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n_filters,); it holds until the next call."""
        np.matmul(self._weights, row, out=self._out)
        np.maximum(self._out, FLOOR, out=self._out)
        return np.asarray(np.log(self._out, out=self._out))
