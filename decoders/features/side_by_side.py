"""Several chains of stages on the same samples; what they put out, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from decoders.stage import Chain, Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["SideBySide"]


@dataclass(frozen=True)
class SideBySide:
    """The rows of several chains of stages, one beside the other.

    A slow potential and the power of a rhythm say more together than either does alone, and each
    wants its own filter. All chains see the same blocks and must put out as many rows of each;
    there are none until all of them have some. Features are named after their chain,
    ``"2: C3"``; the unit is that of the chains, or ``"1"`` where they differ.

    Parameters
    ----------
    chains
        Stages, as elsewhere, one list a chain: ``[[{ kind = "epoch", … }], [{ kind =
        "bandpass", … }, { kind = "log_power" }]]``. A chain of no stages passes the samples on.
    """

    chains: Sequence[Chain]

    def __post_init__(self) -> None:
        if not self.chains:
            raise ValueError("side_by_side needs at least one chain of stages")

    def start(self, signal: Signal, block: int) -> Step:
        """Start every chain."""
        steps = [chain.start(signal, block) for chain in self.chains]
        if len({step.block for step in steps}) > 1:
            raise Mismatch(
                "chains side by side must put out as many rows for each block; they put out "
                f"{', '.join(str(step.block) for step in steps)}"
            )
        return _Running(steps)


class _Running:
    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        first = steps[0].signal
        units = {step.signal.unit for step in steps}
        names = [f"{i}: {c}" for i, step in enumerate(steps, 1) for c in step.signal.channels]
        self.block = steps[0].block
        self.signal = Signal(first.rate_hz, tuple(names), first.unit if len(units) == 1 else "1")
        edges = np.cumsum([0, *(step.signal.n_channels for step in steps)])
        self._parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
        self._values = np.empty((self.block, len(names)))

    def __call__(self, chunk: Chunk) -> Chunk:
        times, whole = chunk.times[:0], True
        for part, step in zip(self._parts, self._steps, strict=True):
            out = step(chunk)  # every one of them: each has a past of its own
            if len(out):
                self._values[:, part] = out.values
                times = out.times
            else:
                whole = False
        return Chunk(times, self._values) if whole else Chunk(chunk.times[:0], self._values[:0])
