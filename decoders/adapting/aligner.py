"""Moves rows that are covariances by one matrix, as re-centring does."""

from __future__ import annotations

import numpy as np

from decoders.decoder import Weights
from decoders.numerics.spd import symmetric_index, upper_index
from devices.signal import Chunk

__all__ = ["ALIGNMENT", "Aligner"]

ALIGNMENT = "alignment"
"""Name of the (n, n) matrix A among the weights of a version; without it nothing is moved."""


class Aligner:
    """Turns each covariance C into A C Aᵀ.

    Parameters
    ----------
    weights
        Of the version that decodes.
    """

    def __init__(self, weights: Weights) -> None:
        found = weights.get(ALIGNMENT)
        self._matrix = None if found is None else np.asarray(found, np.float64)
        if self._matrix is not None:
            self._index = symmetric_index(len(self._matrix))
            self._upper = upper_index(len(self._matrix))

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the rows, moved."""
        if self._matrix is None:
            return chunk
        full = chunk.values[:, self._index].astype(np.float64)
        moved = (self._matrix @ full @ self._matrix.T).reshape(len(full), -1)
        return Chunk(chunk.times, moved[:, self._upper])
