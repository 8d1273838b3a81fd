"""Re-reference: potentials against another point than the amplifier's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["Rereference"]


@dataclass(frozen=True)
class Rereference:
    r"""Subtract, from every sample, the mean of some channels: :math:`x_i - \frac1m \sum_r x_r`.

    Over all channels this is the common average reference (Ludwig et al., J. Neurophysiol. 101,
    2009, for spikes; Nunez & Srinivasan, "Electric Fields of the Brain", 2006, for EEG). Values
    become float64. Channels that depend on each other afterwards cannot be inverted: give the
    covariance a shrinkage above 0.

    Parameters
    ----------
    reference
        Channels whose mean is subtracted: their names; none: the average of all. The references
        themselves stay in the signal.
    """

    reference: tuple[str, ...] = ()

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        if missing := [c for c in self.reference if c not in signal.channels]:
            raise Mismatch(
                f"{len(missing)} of {len(self.reference)} reference channels are not there: "
                f"{', '.join(missing)}; the signal has {', '.join(signal.channels)}"
            )
        if not self.reference and signal.n_channels == 1:
            raise Mismatch("the average of 1 channel is the channel itself; nothing would remain")
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: Rereference, signal: Signal, block: int) -> None:
        self.signal = signal
        self.block = block
        names = recipe.reference or signal.channels
        self._weights = np.zeros(signal.n_channels)
        self._weights[[signal.channels.index(c) for c in names]] = 1 / len(names)
        self._wide = np.empty((block, signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        wide = self._wide
        wide[:] = chunk.values
        wide -= (wide @ self._weights)[:, np.newaxis]
        return Chunk(chunk.times, wide)
