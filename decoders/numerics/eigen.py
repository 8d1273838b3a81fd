"""Eigenvalues and factors of symmetric matrices, into memory that is there.

The same routines of LAPACK that ``np.linalg.eigh``, ``eigvalsh`` and ``cholesky`` call, to the bit,
without the checks and conversions around them: those are Python, and after an idle wait they take a
tenth of a millisecond. What is private in NumPy may go; then the public functions do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["cholesky_into", "eigenvalues_into", "eigenvectors_into"]

Eigen = tuple[NDArray[np.float64], NDArray[np.float64]]


def _eigh(matrix: NDArray[np.float64], out: Eigen) -> None:
    out[0][:], out[1][:] = np.linalg.eigh(matrix)


def _eigvalsh(matrices: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    out[:] = np.linalg.eigvalsh(matrices)


def _cholesky(matrix: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    out[:] = np.linalg.cholesky(matrix)


_routines = getattr(np.linalg, "_umath_linalg", None)
_vectors = getattr(_routines, "eigh_lo", _eigh)
_values = getattr(_routines, "eigvalsh_lo", _eigvalsh)
_factor = getattr(_routines, "cholesky_lo", _cholesky)


def eigenvectors_into(matrix: NDArray[np.float64], out: Eigen) -> None:
    """Put the eigenvalues, ascending, and the eigenvectors, one a column, into `out`.

    Parameters
    ----------
    matrix
        (n, n), symmetric; its lower triangle counts.
    out
        (n,) and (n, n).

    Raises
    ------
    numpy.linalg.LinAlgError
        There are none: a value of the matrix is not finite.
    """
    _vectors(matrix, out=out)
    _check(out[0].item(0))


def eigenvalues_into(matrices: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Put the eigenvalues, ascending, into `out`.

    Parameters
    ----------
    matrices
        (k, n, n), symmetric; their lower triangles count.
    out
        (k, n).

    Raises
    ------
    numpy.linalg.LinAlgError
        There are none: a value of the matrices is not finite.
    """
    _values(matrices, out=out)
    for i in range(len(out)):
        _check(out.item(i, 0))


def cholesky_into(matrix: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Put L of A = L L' into `out`, zeros above its diagonal.

    Parameters
    ----------
    matrix
        (n, n), symmetric; its lower triangle counts.
    out
        (n, n).

    Raises
    ------
    numpy.linalg.LinAlgError
        There is none: a value of the matrix is not finite, or it is not positive definite.
    """
    _factor(matrix, out=out)
    _check(out.item(out.size - 1))


def _check(value: float) -> None:
    if math.isnan(value):
        raise np.linalg.LinAlgError(
            "a covariance that is not finite, or not positive, has no eigenvalues and no factor"
        )
