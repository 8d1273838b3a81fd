"""What an alignment is: fitted to a session's rows, it maps each into the first session's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Affine", "Alignment", "RowMap", "deviations"]

RowMap = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Turns one row of features into an aligned one; the result holds until the next call."""


class Alignment(Protocol):
    """One way to make sessions agree. Frozen, without state: what it finds are weights."""

    def anchor(self, training: Training) -> Weights:
        """Return what must be known of the first session to align others with it."""

    def fit(self, anchor: Weights, training: Training) -> Weights:
        """Return the map of the session that `training` is of.

        Raises
        ------
        Mismatch
            Too little of it is there, or it is not of the same kind.
        """

    def signal(self, signal: Signal) -> Signal:
        """Return what comes out for rows of `signal`."""

    def start(self, fitted: Weights) -> RowMap:
        """Start to map rows with what `fit` returned."""


class Affine:
    """The map :math:`y = A (x - m)`.

    Parameters
    ----------
    fitted
        ``matrix``, (n_out, n_in), and ``offset``, (n_in,).
    """

    def __init__(self, fitted: Weights) -> None:
        self._matrix = np.ascontiguousarray(fitted["matrix"], np.float64)
        self._offset = np.asarray(fitted["offset"], np.float64)
        self._centred = np.empty(self._matrix.shape[1])
        self._out = np.empty(len(self._matrix))

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map one row."""
        np.subtract(row, self._offset, out=self._centred)
        return np.matmul(self._matrix, self._centred, out=self._out)


def deviations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column's standard deviation; infinite where it does not move.

    Raises
    ------
    Mismatch
        There are not even two rows, or no column ever moves.
    """
    if len(rows) < 2:
        raise Mismatch(f"{len(rows)} rows are too few to align on; record more")
    deviation = rows.std(axis=0)
    still = deviation <= 1e-9 * np.abs(rows).max(axis=0)
    if still.all():
        raise Mismatch("no feature ever varies, so there is nothing to align by")
    return np.asarray(np.where(still, np.inf, deviation), np.float64)
