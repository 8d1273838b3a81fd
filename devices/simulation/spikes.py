"""Sources of simulated motor cortex: binned spike counts, and the power of the spike band."""

from __future__ import annotations

import numpy as np

from devices.signal import Signal
from devices.simulation.drive import Drive
from devices.simulation.stream import Block

__all__ = ["CountSource", "FeatureSource"]


class CountSource:
    """Spikes of each unit in each bin, Poisson.

    Parameters
    ----------
    signal
        What comes out, one channel a unit, one sample a bin.
    drive
        How the units fire.
    rng
        Draws the spikes and nothing else.
    block
        Bins that are made together.
    is_live
        Whether the drive follows somebody outside.
    """

    def __init__(
        self, signal: Signal, drive: Drive, rng: np.random.Generator, block: int, is_live: bool
    ) -> None:
        self.signal = signal
        self.truth_signal = drive.truth_signal
        self.block = block
        self.is_live = is_live
        self._drive = drive
        self._rng = rng

    def make(self, start_s: float) -> Block:
        """Make the next block."""
        driven = self._drive.next(self.block, start_s)
        counts = self._rng.poisson(driven.rates_hz / self.signal.rate_hz).astype(np.float32)
        return Block(counts, driven.truth, driven.marks)

    def close(self) -> None:
        """Let go of the drive."""
        self._drive.close()


class FeatureSource:
    """Threshold crossings of each electrode, then the power of its spike band, in each bin.

    The power is that of noise, which over 20 ms of the band scatters as a chi-squared value of 100
    degrees of freedom, of many small units that fire as the electrode's own do, and of each of its
    crossings. An electrode's noise of 1 has the power 1; how much each spike adds differs between
    electrodes.

    Parameters
    ----------
    signal
        What comes out: first all crossings, then all powers.
    drive
        How the units fire.
    rng
        Draws the spikes and the power.
    block
        Bins that are made together.
    """

    is_live = False
    N_FREEDOM = 100.0
    SMALL_UNITS = 0.006
    SPIKE = 0.25

    def __init__(self, signal: Signal, drive: Drive, rng: np.random.Generator, block: int) -> None:
        unit_rng, self._rng, self._power_rng = rng.spawn(3)
        self.signal = signal
        self.truth_signal = drive.truth_signal
        self.block = block
        self._drive = drive
        n = signal.n_channels // 2
        self._gain = unit_rng.lognormal(0.0, 0.4, n)
        self._spike = self.SPIKE * unit_rng.lognormal(0.0, 0.6, n)

    def make(self, start_s: float) -> Block:
        """Make the next block."""
        driven = self._drive.next(self.block, start_s)
        expected = driven.rates_hz / self.signal.rate_hz
        counts = self._rng.poisson(expected)
        shape = self.N_FREEDOM / 2
        scatter = self._power_rng.standard_gamma(shape, counts.shape) / shape
        small = 1.0 + self.SMALL_UNITS * driven.rates_hz
        power = self._gain * (small * scatter + self._spike * counts)
        values = np.concatenate((counts, power), axis=1).astype(np.float32)
        return Block(values, driven.truth, driven.marks)

    def close(self) -> None:
        """Let go of the drive."""
        self._drive.close()
