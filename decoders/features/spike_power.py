"""Spike-band power: how much goes on above 300 Hz, without finding spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.numerics.iir import SosFilter, butterworth
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["SpikePower"]


@dataclass(frozen=True)
class SpikePower:
    """Mean absolute value of each channel in the spike band, over the block.

    The feature of Nason et al., "A low-power band of neuronal spiking activity dominated by local
    single units improves the performance of brain-machine interfaces", Nat. Biomed. Eng. 4, 2020,
    who take 300 to 1,000 Hz. One row a block, in the unit of the signal.

    Parameters
    ----------
    low_hz, high_hz
        The -3 dB edges of the causal Butterworth band-pass.
    order
        Of its prototype.
    """

    low_hz: float = 300.0
    high_hz: float = 1000.0
    order: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.low_hz < self.high_hz or self.order < 1:
            raise ValueError(
                "spike_power needs 0 < low_hz < high_hz and order >= 1; it has low_hz = "
                f"{self.low_hz}, high_hz = {self.high_hz}, order = {self.order}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: SpikePower, signal: Signal, block: int) -> None:
        sos = butterworth("bandpass", (recipe.low_hz, recipe.high_hz), recipe.order, signal.rate_hz)
        self.block = 1
        self.signal = Signal(signal.rate_hz / block, signal.channels, signal.unit)
        self._filter = SosFilter(sos, block, signal.n_channels)
        self._scale = 1.0 / block
        self._values = np.empty((1, signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        out, y = self._values, self._filter(chunk.values)
        np.abs(y, out=y)
        np.add.reduce(y, axis=0, out=out[0])
        out *= self._scale
        return Chunk(chunk.times[-1:], out)
