"""Simulated broadband recordings from motor cortex: spikes, field potentials and noise."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from devices.signal import Signal
from devices.simulation.drive import Drive
from devices.simulation.noise import Coloured, power_law
from devices.simulation.stream import Block

__all__ = ["BroadbandSource"]


class BroadbandSource:
    """Voltages of electrodes that each see one unit.

    Spikes are Poisson within a bin, less those that come within 2 ms of the one before (about 2 %
    at 10 Hz). Their negative peaks are log-normal over units with a median of 70 uV, on noise of
    7 uV; the field potential, 40 uV with power ~ 1 / f^1.5, has four independent sources, of which
    each electrode sees its own mixture.

    The noise of every sample is a stretch, from a random place, of one table of normal values: at
    3,072 electrodes drawing each value anew would take the whole time that there is.

    Parameters
    ----------
    signal
        What comes out, one electrode a unit, in uV; a whole number of samples in each bin.
    drive
        How the units fire, bin by bin.
    rng
        This source's own.
    bins
        Bins that are made together.
    is_live
        Whether the drive follows somebody outside.
    """

    NOISE_UV = 7.0
    FIELD_UV = 40.0
    N_FIELDS = 4
    N_NOISE = 1 << 21
    REFRACTORY_S = 0.002
    SPIKE_S = 0.0016

    def __init__(
        self,
        signal: Signal,
        drive: Drive,
        rng: np.random.Generator,
        bins: int,
        is_live: bool,
    ) -> None:
        noise_rng, field_rng, self._rng, unit_rng = rng.spawn(4)
        self.signal = signal
        self.truth_signal = drive.truth_signal
        self.is_live = is_live
        self._bin = round(signal.rate_hz / drive.truth_signal.rate_hz)
        self._bins = bins
        self.block = self._bin * bins
        self._drive = drive
        self._noise_rng = noise_rng
        noise_uv = noise_rng.standard_normal(self.N_NOISE, np.float32)
        noise_uv *= np.float32(self.NOISE_UV)
        self._noise_uv = sliding_window_view(noise_uv, signal.n_channels)
        self._waveforms = _waveforms(signal, self.SPIKE_S, unit_rng)
        n_spike = self._waveforms.shape[1]
        self._field = Coloured(power_law(1.5, signal.rate_hz, 1.0), self.N_FIELDS, field_rng)
        mixing = unit_rng.standard_normal((self.N_FIELDS, signal.n_channels))
        mixing *= self.FIELD_UV / np.linalg.norm(mixing, axis=0)
        self._mixing = mixing.astype(np.float32)
        self._spikes = np.zeros((n_spike, signal.n_channels), np.float32)
        self._last = np.full(signal.n_channels, -np.inf)
        self._refractory = self.REFRACTORY_S * signal.rate_hz

    def make(self, start_s: float) -> Block:
        """Make the next block."""
        driven = self._drive.next(self._bins, start_s)
        n, n_spike = self.block, self._waveforms.shape[1]
        voltages = np.empty((n + n_spike, self.signal.n_channels), np.float32)
        voltages[:n] = self._field.next(n).astype(np.float32) @ self._mixing
        voltages[:n] += self._noise_uv[self._noise_rng.integers(0, len(self._noise_uv), n)]
        voltages[n:] = 0.0
        voltages[:n_spike] += self._spikes
        at, unit = self._fire(driven.rates_hz)
        # Two spikes of a unit are farther apart than a spike is long: no place is named twice.
        voltages[at[:, None] + np.arange(n_spike), unit[:, None]] += self._waveforms[unit]
        self._spikes = voltages[n:].copy()
        marks = tuple((index * self._bin, label) for index, label in driven.marks)
        return Block(voltages[:n], driven.truth, marks)

    def close(self) -> None:
        """Let go of the drive."""
        self._drive.close()

    def _fire(self, rates_hz: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw the block's spikes: sample and unit, by unit and in order of time."""
        counts = self._rng.poisson(rates_hz / self.truth_signal.rate_hz)
        bins, units = np.nonzero(counts)
        times = counts[bins, units]
        bins, units = np.repeat(bins, times), np.repeat(units, times)
        at = bins * self._bin + self._rng.integers(0, self._bin, len(bins))
        order = np.lexsort((at, units))
        at, units = at[order], units[order]
        before = np.concatenate(([-np.inf], at[:-1]))
        is_first = np.concatenate(([True], units[1:] != units[:-1]))[: len(units)]
        before = np.where(is_first, self._last[units], before[: len(units)])
        kept = at - before >= self._refractory
        is_last = np.concatenate((is_first[1:], [True]))[: len(units)]
        self._last -= self.block
        self._last[units[is_last]] = at[is_last] - self.block
        return at[kept], units[kept]


def _waveforms(signal: Signal, length_s: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return each unit's spike, (n_units, n_samples) in uV: a sharp trough, a slower hump."""
    t_s = np.arange(max(2, round(length_s * signal.rate_hz))) / signal.rate_hz
    n = signal.n_channels
    peak_uv = rng.lognormal(np.log(70.0), 0.4, (n, 1))
    width_s = rng.uniform(0.08e-3, 0.16e-3, (n, 1))
    trough = -np.exp(-0.5 * ((t_s - 0.4e-3) / width_s) ** 2)
    hump = 0.35 * np.exp(-0.5 * ((t_s - 0.8e-3) / (2 * width_s)) ** 2)
    return (peak_uv * (trough + hump)).astype(np.float32)
