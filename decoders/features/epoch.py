"""The recent past as one row: what a response to an event looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.numerics.window import window_blocks
from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["Epoch"]


@dataclass(frozen=True)
class Epoch:
    """The last `window_s` of every channel, averaged in steps, as one row a block.

    The row of the block that ends `window_s` after a stimulus is the response to it: with
    ``start_s`` of ``[trials]`` equal to the window, a decoder is fitted on those rows, and a
    decision rests on them. The epoch begins at the stimulus to within one block, so make blocks
    short. Features are named ``"Cz -250 ms"`` after the end of their step, channel by channel,
    oldest first; the unit stays (Blankertz et al., NeuroImage 56, 2011: shrinkage LDA on such
    rows is hard to beat).

    Parameters
    ----------
    window_s
        Length of the epoch; the nearest whole number of steps. Rows begin once it is full.
    step_s
        What one value is the mean of: the nearest whole number of blocks; 0: the block.
    """

    window_s: float
    step_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.window_s > 0 or not 0 <= self.step_s <= self.window_s:
            raise ValueError(
                "epoch needs window_s > 0 and step_s from 0 to window_s; it has window_s = "
                f"{self.window_s}, step_s = {self.step_s}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        blocks = window_blocks(self.step_s, signal.rate_hz, block)
        steps = round(self.window_s * signal.rate_hz / (block * blocks))
        if steps < 1:
            raise Mismatch(
                f"window_s = {self.window_s:g} s is less than half a step of "
                f"{block * blocks / signal.rate_hz:g} s; use a longer one, or shorter blocks"
            )
        return _Running(signal, block, steps, blocks)


class _Running:
    def __init__(self, signal: Signal, block: int, steps: int, blocks: int) -> None:
        n, rate_hz = signal.n_channels, signal.rate_hz
        before_ms = [(steps - 1 - i) * blocks * block / rate_hz * 1e3 for i in range(steps)]
        self.block = 1
        self.signal = Signal(
            rate_hz / block,
            tuple(f"{channel} {-ms:.0f} ms" for channel in signal.channels for ms in before_ms),
            signal.unit,
        )
        # Sums of blocks, the newest at `_at`, a channel a row.
        self._sums = np.zeros((n, steps * blocks))
        self._ordered = np.empty((n, steps * blocks))
        self._at = 0
        self._missing = steps * blocks
        self._steps = self._ordered.reshape(n, steps, blocks)
        self._scale = 1.0 / (blocks * block)
        self._values = np.empty((1, n * steps))
        self._means = self._values.reshape(n, steps)

    def __call__(self, chunk: Chunk) -> Chunk:
        sums, ordered, at = self._sums, self._ordered, self._at
        np.add.reduce(chunk.values, axis=0, dtype=np.float64, out=sums[:, at])
        self._at = at = (at + 1) % sums.shape[1]
        self._missing = max(0, self._missing - 1)
        if self._missing:
            return Chunk(chunk.times[:0], self._values[:0])
        newer = sums.shape[1] - at
        ordered[:, :newer] = sums[:, at:]
        ordered[:, newer:] = sums[:, :at]
        np.add.reduce(self._steps, axis=2, out=self._means)
        self._values *= self._scale
        return Chunk(chunk.times[-1:], self._values)
