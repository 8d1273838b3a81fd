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
    bank
        So many channels that follow each other share a reference, the average of their own: arrays
        on amplifiers of their own have noise of their own. 0: all channels share one.
    """

    reference: tuple[str, ...] = ()
    bank: int = 0

    def __post_init__(self) -> None:
        if self.bank < 0 or self.bank == 1:
            raise ValueError(f"bank must be 0, or 2 channels or more, not {self.bank}")
        if self.bank and self.reference:
            raise ValueError(
                f"rereference takes a reference ({', '.join(self.reference)}) or a bank "
                f"({self.bank}), not both"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        if missing := [c for c in self.reference if c not in signal.channels]:
            raise Mismatch(
                f"{len(missing)} of {len(self.reference)} reference channels are not there: "
                f"{', '.join(missing)}; the signal has {', '.join(signal.channels)}"
            )
        if not self.reference and signal.n_channels == 1:
            raise Mismatch("the average of 1 channel is the channel itself; nothing would remain")
        if self.bank:
            if signal.n_channels % self.bank:
                raise Mismatch(
                    f"banks of {self.bank} channels do not make up the {signal.n_channels} "
                    "of the signal"
                )
            return _Banks(self.bank, signal, block)
        return _Running(self, signal, block)


class _Banks:
    def __init__(self, bank: int, signal: Signal, block: int) -> None:
        self.signal = signal
        self.block = block
        self._wide = np.empty((block, signal.n_channels))
        self._banks = self._wide.reshape(block, -1, bank)
        self._mean = np.empty((block, signal.n_channels // bank, 1))

    def __call__(self, chunk: Chunk) -> Chunk:
        self._wide[:] = chunk.values
        self._banks.mean(axis=2, keepdims=True, out=self._mean)
        self._banks -= self._mean
        return Chunk(chunk.times, self._wide)


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
