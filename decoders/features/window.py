"""The last seconds of every channel, sample by sample, as one row a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.rows.sample_names import sample_names
from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """The last `window_s` of every channel as one row a block: what a network for EEG reads.

    Each value is the mean of `step` samples, so ``step = 2`` halves the rate (put a `lowpass`
    before). Unlike in `epoch`, blocks may be much longer than a step. Features are named
    ``"Cz -250 ms"`` after the end of their step, channel by channel, oldest first; the unit stays.

    Parameters
    ----------
    window_s
        Length: the nearest whole number of steps. Rows begin once it is full.
    step
        Samples that one value is the mean of; a block must be a whole number of steps.
    """

    window_s: float
    step: int = 1

    def __post_init__(self) -> None:
        if not self.window_s > 0 or self.step < 1:
            raise ValueError(
                "window needs window_s > 0 and step >= 1; it has window_s = "
                f"{self.window_s}, step = {self.step}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        if block % self.step:
            raise Mismatch(
                f"a block of {block} samples is no whole number of steps of {self.step}; choose "
                "another step, or another hop_s"
            )
        values = round(self.window_s * signal.rate_hz / self.step)
        if values < 2:
            raise Mismatch(
                f"window_s = {self.window_s:g} s holds {values} steps of "
                f"{self.step / signal.rate_hz:g} s; at least 2 are needed"
            )
        return _Running(signal, block, self.step, values)


class _Running:
    """Every value is written twice, a window apart, so the newest window lies in one piece."""

    def __init__(self, signal: Signal, block: int, step: int, values: int) -> None:
        n, rate_hz = signal.n_channels, signal.rate_hz
        before_ms = [(values - 1 - i) * step / rate_hz * 1e3 for i in range(values)]
        self.block = 1
        self.signal = Signal(rate_hz / block, sample_names(signal.channels, before_ms), signal.unit)
        self._fresh = block // step
        # Whole blocks, so that no block is ever parted.
        self._length = -(-values // self._fresh) * self._fresh
        self._ring = np.zeros((n, 2 * self._length))
        self._seen = 0
        self._values = values
        self._scale = 1.0 / step
        self._means = np.empty((n, self._fresh))
        self._parts = (self._fresh, step, n)
        self._row = np.empty((1, n * values))
        self._ordered = self._row.reshape(n, values)

    def __call__(self, chunk: Chunk) -> Chunk:
        means, ring, length = self._means, self._ring, self._length
        np.add.reduce(chunk.values.reshape(self._parts), axis=1, dtype=np.float64, out=means.T)
        means *= self._scale
        at = self._seen % length
        ring[:, at : at + self._fresh] = means
        ring[:, at + length : at + length + self._fresh] = means
        self._seen += self._fresh
        if self._seen < self._values:
            return Chunk(chunk.times[:0], self._row[:0])
        end = at + self._fresh + (length if at + self._fresh < self._values else 0)
        self._ordered[...] = ring[:, end - self._values : end]
        return Chunk(chunk.times[-1:], self._row)
