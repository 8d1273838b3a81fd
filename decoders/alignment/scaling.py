"""Each session by its own mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.alignment.alignment import RowMap, deviations
from decoders.decoder import Training, Weights
from devices.signal import Signal

__all__ = ["Scaling"]


@dataclass(frozen=True)
class Scaling:
    """The session's z-score, feature by feature; what never moves becomes 0."""

    def anchor(self, training: Training) -> Weights:
        """Return nothing: every session is mapped to mean 0 and deviation 1."""
        return {}

    def fit(self, anchor: Weights, training: Training) -> Weights:
        """Return ``offset`` and ``scale``, (n_features,) each."""
        return {
            "offset": training.features.mean(axis=0),
            "scale": 1.0 / deviations(training.features),
        }

    def signal(self, signal: Signal) -> Signal:
        """Return the same features, without a unit."""
        return Signal(signal.rate_hz, signal.channels, "1")

    def start(self, fitted: Weights) -> RowMap:
        """Start to map rows."""
        return _Scaled(fitted)


class _Scaled:
    def __init__(self, fitted: Weights) -> None:
        self._offset = np.asarray(fitted["offset"], np.float64)
        self._scale = np.asarray(fitted["scale"], np.float64)
        self._out = np.empty(len(self._scale))

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        np.subtract(row, self._offset, out=self._out)
        return np.multiply(self._out, self._scale, out=self._out)
