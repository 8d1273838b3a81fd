"""Log power: the logarithm of the mean square of each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.numerics.window import FLOOR, Window, window_blocks
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["LogPower"]


@dataclass(frozen=True)
class LogPower:
    """ln of the mean square of each channel, over the block or a trailing window.

    Behind a band-pass it is the log band power (Pfurtscheller & Lopes da Silva, "Event-related
    EEG/MEG synchronization and desynchronization", Clin. Neurophysiol. 110, 1999). One row a
    block; unit ``ln(u^2)`` for values in u. The mean is not subtracted: filter it out before.

    Parameters
    ----------
    window_s
        Length of the trailing window; 0: the block alone. The nearest whole number of blocks.
        Rows begin once the window is full.
    """

    window_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.window_s >= 0:
            raise ValueError(f"window_s must not be negative, not {self.window_s}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(signal, block, window_blocks(self.window_s, signal.rate_hz, block))


class _Running:
    def __init__(self, signal: Signal, block: int, blocks: int) -> None:
        self.block = 1
        self.signal = Signal(signal.rate_hz / block, signal.channels, f"ln({signal.unit}^2)")
        self._scale = 1.0 / (blocks * block)
        self._square = np.empty((block, signal.n_channels))
        self._window = Window(blocks, signal.n_channels)
        self._values = np.empty((1, signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        np.multiply(chunk.values, chunk.values, out=self._square, dtype=np.float64)
        np.add.reduce(self._square, axis=0, out=self._window.slot)
        out = self._values
        if not self._window.total(out[0]):
            return Chunk(chunk.times[:0], out[:0])
        out *= self._scale
        np.maximum(out, FLOOR, out=out)
        np.log(out, out=out)
        return Chunk(chunk.times[-1:], out)
