"""Threshold crossings in each block of a broadband signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.iir import SosFilter, butterworth
from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["SpikeCounts"]

_MEDIAN_OF_NOISE = 0.6744897501960817
"""Median of |x| of a Gaussian of deviation 1."""

_NOISE_SAMPLES = 2048
"""Samples a channel that the noise is estimated on: its error is then 2.6 %."""


@dataclass(frozen=True)
class SpikeCounts:
    r"""Count, in each block, how often a channel's spike band crosses its threshold outwards.

    The threshold is :math:`m \cdot \operatorname{median}(|x|) / 0.6745` of the channel's own
    noise (Quiroga, Nadasdy & Ben-Shaul, "Unsupervised spike detection and sorting", Neural
    Comput. 16, 2004), from samples spread evenly over the first seconds of the run; rows begin
    after them. Or it is given. One row a block: whole numbers, unit ``count``.

    Parameters
    ----------
    multiple
        m; negative: below (where extracellular spikes point), positive: above.
    noise_s
        Seconds, from the start, that the noise is estimated on.
    threshold
        One fixed threshold for all channels, in the unit of the signal; 0: estimated.
    low_hz, high_hz
        The -3 dB edges of the causal Butterworth band-pass before.
    order
        Of its prototype.
    """

    multiple: float = -4.5
    noise_s: float = 5.0
    threshold: float = 0.0
    low_hz: float = 300.0
    high_hz: float = 6000.0
    order: int = 2

    def __post_init__(self) -> None:
        if self.multiple == 0 or not self.noise_s > 0:
            raise ValueError(
                "spike_counts needs a multiple that is not 0, and noise_s > 0; it has multiple = "
                f"{self.multiple}, noise_s = {self.noise_s}"
            )
        if not 0 < self.low_hz < self.high_hz or self.order < 1:
            raise ValueError(
                "spike_counts needs 0 < low_hz < high_hz and order >= 1; it has low_hz = "
                f"{self.low_hz}, high_hz = {self.high_hz}, order = {self.order}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        sos = butterworth("bandpass", (self.low_hz, self.high_hz), self.order, signal.rate_hz)
        if round(self.noise_s * signal.rate_hz) < block:
            raise Mismatch(
                f"noise_s = {self.noise_s:g} s is shorter than one block of "
                f"{block / signal.rate_hz:g} s"
            )
        return _Running(self, sos, signal, block)


class _Running:
    def __init__(
        self, recipe: SpikeCounts, sos: NDArray[np.float64], signal: Signal, block: int
    ) -> None:
        n = signal.n_channels
        self.block = 1
        self.signal = Signal(signal.rate_hz / block, signal.channels, "count")
        self._filter = SosFilter(sos, block, n)
        self._sign = -1.0 if (recipe.threshold or recipe.multiple) < 0 else 1.0
        self._noise = None if recipe.threshold else _Noise(recipe, signal, block)
        self._threshold = np.full(n, abs(recipe.threshold))
        # Row 0 is the last sample of the block before.
        self._beyond = np.zeros((block + 1, n), np.bool_)
        self._crossed = np.empty((block, n), np.bool_)
        self._values = np.empty((1, n))

    def __call__(self, chunk: Chunk) -> Chunk:
        y, out = self._filter(chunk.values), self._values
        if self._noise is not None:
            threshold = self._noise.take(y)
            if threshold is not None:
                self._threshold, self._noise = threshold, None
            return Chunk(chunk.times[:0], out[:0])
        beyond = self._beyond
        beyond[0] = beyond[-1]
        y *= self._sign
        np.greater(y, self._threshold, out=beyond[1:])
        np.greater(beyond[1:], beyond[:-1], out=self._crossed)
        np.add.reduce(self._crossed, axis=0, dtype=np.float64, out=out[0])
        return Chunk(chunk.times[-1:], out)


class _Noise:
    """Every so many samples of the first seconds, until there are enough for a median."""

    def __init__(self, recipe: SpikeCounts, signal: Signal, block: int) -> None:
        whole = round(recipe.noise_s * signal.rate_hz) // block * block
        self._every = max(1, whole // _NOISE_SAMPLES)
        self._kept = np.empty((-(-whole // self._every), signal.n_channels), np.float32)
        self._filled = 0
        self._skip = 0
        self._multiple = abs(recipe.multiple)

    def take(self, y: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Take a block in; return the thresholds, once it is the last that is needed."""
        part = y[self._skip :: self._every]
        to = slice(self._filled, self._filled + len(part))
        self._kept[to] = part
        self._filled = to.stop
        self._skip = (self._skip - len(y)) % self._every
        if self._filled < len(self._kept):
            return None
        kept = np.abs(self._kept)
        # A flat channel has no noise, and nothing on it is a spike.
        sigma = np.median(kept, axis=0).astype(np.float64) / _MEDIAN_OF_NOISE
        return np.where(sigma > 0, sigma * self._multiple, np.inf)
