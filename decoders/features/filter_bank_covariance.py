"""Covariance of the channels in each of several bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from decoders.features.covariance import Covariance
from decoders.numerics.iir import SosFilter, butterworth
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["FilterBankCovariance"]


@dataclass(frozen=True)
class FilterBankCovariance:
    """Running covariance in each band of a filter bank, one upper triangle after the other.

    As `covariance` behind `bandpass`, band by band; what channels of different bands have in
    common is left out. One row a block; features are named ``"C3*C4 8-12 Hz"``, the unit is the
    square of the channels'. The bands of the default are those of Ang et al. ("Filter bank common
    spatial pattern (FBCSP) in brain-computer interface", IJCNN 2008).

    Parameters
    ----------
    window_s
        Length of the window; the nearest whole number of blocks. Rows begin once it is full.
    bands
        Two edges in Hz for each band.
    shrinkage
        0 to 1: how far each covariance is shrunk towards a multiple of the identity.
    order
        Of the Butterworth prototypes.
    """

    window_s: float
    bands: Sequence[Sequence[float]] = (
        (4.0, 8.0),
        (8.0, 12.0),
        (12.0, 16.0),
        (16.0, 20.0),
        (20.0, 24.0),
        (24.0, 28.0),
        (28.0, 32.0),
        (32.0, 36.0),
        (36.0, 40.0),
    )
    shrinkage: float = 0.001
    order: int = 4

    def __post_init__(self) -> None:
        if not self.bands or not all(len(b) == 2 and 0 < b[0] < b[1] for b in self.bands):
            raise ValueError(
                f"each of the bands needs two edges, 0 < low < high, not {self.bands!r}"
            )
        if self.order < 1:
            raise ValueError(f"order must be at least 1, not {self.order}")
        Covariance(self.window_s, self.shrinkage)

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: FilterBankCovariance, signal: Signal, block: int) -> None:
        n = signal.n_channels
        self._filters = [
            SosFilter(butterworth("bandpass", (low, high), recipe.order, signal.rate_hz), block, n)
            for low, high in recipe.bands
        ]
        covariance = Covariance(recipe.window_s, recipe.shrinkage)
        self._covariances = [covariance.start(signal, block) for _ in recipe.bands]
        self.block = 1
        of_one = self._covariances[0].signal
        self.signal = Signal(
            of_one.rate_hz,
            tuple(
                f"{c} {low:g}-{high:g} Hz" for low, high in recipe.bands for c in of_one.channels
            ),
            of_one.unit,
        )
        self._values = np.empty((1, self.signal.n_channels))
        self._parts = self._values.reshape(len(recipe.bands), -1)

    def __call__(self, chunk: Chunk) -> Chunk:
        n_rows = 0
        for part, band, covariance in zip(
            self._parts, self._filters, self._covariances, strict=True
        ):
            row = covariance(Chunk(chunk.times, band(chunk.values))).values
            n_rows = len(row)
            part[:] = row[0] if n_rows else 0.0
        return Chunk(chunk.times[len(chunk.times) - n_rows :], self._values[:n_rows])
