"""Every sample of a block, side by side in one row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["Samples"]


@dataclass(frozen=True)
class Samples:
    """All samples of the block in one row, for decoders that take in a trial sample by sample.

    One row a block, oldest sample first, its channels in order; features are named
    ``"Oz 3/12"``, the third of twelve samples. The unit stays.
    """

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(signal, block)


class _Running:
    def __init__(self, signal: Signal, block: int) -> None:
        self.block = 1
        names = tuple(f"{c} {i + 1}/{block}" for i in range(block) for c in signal.channels)
        self.signal = Signal(signal.rate_hz / block, names, signal.unit)
        self._values = np.empty((1, len(names)))
        self._samples = self._values.reshape(block, signal.n_channels)

    def __call__(self, chunk: Chunk) -> Chunk:
        self._samples[:] = chunk.values
        return Chunk(chunk.times[-1:], self._values)
