"""Square root: counts of spikes, so that their noise does not grow with their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["SquareRoot"]


@dataclass(frozen=True)
class SquareRoot:
    r"""Square root of each value, 0 for one below 0: what makes the variance of counts even.

    A Poisson count of mean m has the variance m; its root has about 1/4, whatever m is (Bartlett,
    J. R. Stat. Soc. Suppl. 3, 1936). Comes out without a unit.
    """

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(signal, block)


class _Running:
    def __init__(self, signal: Signal, block: int) -> None:
        self.signal = Signal(signal.rate_hz, signal.channels, "1")
        self.block = block
        self._values = np.empty((block, signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        np.maximum(chunk.values, 0.0, out=self._values)
        np.sqrt(self._values, out=self._values)
        return Chunk(chunk.times, self._values)
