"""Log power of every channel in several bands at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from decoders.numerics.iir import SosFilter, butterworth
from decoders.numerics.window import FLOOR, Window, window_blocks
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["BandPower"]


@dataclass(frozen=True)
class BandPower:
    """ln of the mean square of each channel in each band, over the block or a trailing window.

    One causal Butterworth band-pass a band, each as `bandpass`, then as `log_power`. One row a
    block; the features are named ``"C3 mu"``, band by band.

    Parameters
    ----------
    bands
        Name of each band, and its two edges in Hz: ``{mu = [8, 13], beta = [13, 30]}``.
    window_s
        Length of the trailing window; 0: the block alone. Rows begin once the window is full.
    order
        Of the Butterworth prototypes.
    """

    bands: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {"mu": (8.0, 13.0), "beta": (13.0, 30.0)}
    )
    window_s: float = 0.0
    order: int = 4

    def __post_init__(self) -> None:
        if not self.bands:
            raise ValueError("band_power needs at least one band")
        for name, edges in self.bands.items():
            if len(edges) != 2 or not 0 < edges[0] < edges[1]:
                raise ValueError(f"band {name!r} needs two edges, 0 < low < high, not {edges!r}")
        if not self.window_s >= 0 or self.order < 1:
            raise ValueError(
                "band_power needs window_s >= 0 and order >= 1; it has window_s = "
                f"{self.window_s}, order = {self.order}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block, window_blocks(self.window_s, signal.rate_hz, block))


class _Running:
    def __init__(self, recipe: BandPower, signal: Signal, block: int, blocks: int) -> None:
        self.block = 1
        self.signal = Signal(
            signal.rate_hz / block,
            tuple(f"{channel} {band}" for band in recipe.bands for channel in signal.channels),
            f"ln({signal.unit}^2)",
        )
        n = signal.n_channels
        self._filters = [
            SosFilter(butterworth("bandpass", (low, high), recipe.order, signal.rate_hz), block, n)
            for low, high in recipe.bands.values()
        ]
        self._parts = [slice(i * n, (i + 1) * n) for i in range(len(recipe.bands))]
        self._scale = 1.0 / (blocks * block)
        self._square = np.empty((block, n))
        self._window = Window(blocks, self.signal.n_channels)
        self._values = np.empty((1, self.signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        slot, square, out = self._window.slot, self._square, self._values
        for part, band in zip(self._parts, self._filters, strict=True):
            y = band(chunk.values)
            np.multiply(y, y, out=square)
            np.add.reduce(square, axis=0, out=slot[part])
        if not self._window.total(out[0]):
            return Chunk(chunk.times[:0], out[:0])
        out *= self._scale
        np.maximum(out, FLOOR, out=out)
        np.log(out, out=out)
        return Chunk(chunk.times[-1:], out)
