"""Each session's covariances by their own Riemannian mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.alignment.alignment import RowMap
from decoders.decoder import Training, Weights
from decoders.numerics.spd import inverse_root, matrices, symmetric_index, upper_index
from decoders.numerics.tangent import riemannian_mean
from devices.signal import Signal

__all__ = ["Recentring"]


@dataclass(frozen=True)
class Recentring:
    r""":math:`C' = M^{-1/2} C M^{-1/2}`, M the Riemannian mean of the session's covariances.

    Zanini et al., "Transfer learning: a Riemannian geometry framework with applications to
    brain-computer interfaces", IEEE Trans. Biomed. Eng. 65, 2018. The stage `recentre` does it
    without a calibration.
    """

    def anchor(self, training: Training) -> Weights:
        """Return nothing: every session is mapped to a mean of the identity."""
        return {}

    def fit(self, anchor: Weights, training: Training) -> Weights:
        """Return ``whitening``, (n_channels, n_channels)."""
        return {"whitening": inverse_root(riemannian_mean(matrices(training.features)))}

    def signal(self, signal: Signal) -> Signal:
        """Return the same features, without a unit."""
        return Signal(signal.rate_hz, signal.channels, "1")

    def start(self, fitted: Weights) -> RowMap:
        """Start to map rows."""
        return _Whitened(fitted)


class _Whitened:
    def __init__(self, fitted: Weights) -> None:
        self._whitening = np.ascontiguousarray(fitted["whitening"], np.float64)
        n = len(self._whitening)
        self._index, self._upper = symmetric_index(n), upper_index(n)
        self._full, self._half, self._white = np.empty((3, n, n))
        self._row, self._out = np.empty((2, len(self._upper)))

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        self._row[:] = row
        self._row.take(self._index, out=self._full)
        np.matmul(self._whitening, self._full, out=self._half)
        np.matmul(self._half, self._whitening, out=self._white)
        return self._white.take(self._upper, out=self._out)
