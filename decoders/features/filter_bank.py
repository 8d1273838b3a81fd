"""A filter bank: every channel in several bands, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from decoders.numerics.iir import SosFilter, butterworth
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["FilterBank"]


@dataclass(frozen=True)
class FilterBank:
    """Every channel in every band, as channels of their own, sample by sample.

    One causal Butterworth band-pass a band, each as `bandpass`; the channels are named
    ``"Oz 13"``, band by band, the unit stays. With `covariance` behind it, the covariance holds
    the power of each band, and how the channels go together in it (Congedo, Barachant & Andreev,
    arXiv 1310.8115, 2013, for flicker).

    Parameters
    ----------
    bands
        Name of each band, and its two edges in Hz: ``{"13" = [12, 14], "17" = [16, 18]}``.
    order
        Of the Butterworth prototypes.
    """

    bands: Mapping[str, tuple[float, float]]
    order: int = 4

    def __post_init__(self) -> None:
        if not self.bands:
            raise ValueError("filter_bank needs at least one band")
        for name, edges in self.bands.items():
            if len(edges) != 2 or not 0 < edges[0] < edges[1]:
                raise ValueError(f"band {name!r} needs two edges, 0 < low < high, not {edges!r}")
        if self.order < 1:
            raise ValueError(f"order must be at least 1, not {self.order}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: FilterBank, signal: Signal, block: int) -> None:
        n = signal.n_channels
        self.block = block
        self.signal = Signal(
            signal.rate_hz,
            tuple(f"{channel} {band}" for band in recipe.bands for channel in signal.channels),
            signal.unit,
        )
        self._filters = [
            SosFilter(butterworth("bandpass", (low, high), recipe.order, signal.rate_hz), block, n)
            for low, high in recipe.bands.values()
        ]
        self._parts = [slice(i * n, (i + 1) * n) for i in range(len(recipe.bands))]
        self._values = np.empty((block, self.signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        for part, band in zip(self._parts, self._filters, strict=True):
            self._values[:, part] = band(chunk.values)
        return Chunk(chunk.times, self._values)
