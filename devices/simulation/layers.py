"""What is always in the EEG of a resting head: background, alpha, mains, blinks, muscle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.simulation.electrodes import spread
from devices.simulation.intent import Meant
from devices.simulation.noise import Coloured, Smoothed, Tails, high_passed, power_law, rhythm

__all__ = ["Alpha", "Background", "Blinks", "Layer", "Mains", "Marks", "Muscle"]

Marks = tuple[tuple[int, str], ...]


class Layer(Protocol):
    """One origin of potentials on the scalp; the layers add up to the EEG."""

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block to `values`, (n, n_channels) in uV, and return what to mark in it."""


class Background:
    """Activity without a rhythm, power ~ 1 / f^1.2, correlated over the scalp; sensor noise.

    The correlation of two electrodes at distance d is ``exp(-d² / (4 w²))``, as from sources
    everywhere, each spread over w (`spread`). The exponent is within those found in resting EEG
    (1 to 1.5 for 2–40 Hz; Donoghue et al., Nature Neuroscience 23:1655, 2020).

    Parameters
    ----------
    channels
        Electrode names.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    BACKGROUND_UV = 9.0
    SENSOR_UV = 0.7
    EXPONENT = 1.2

    def __init__(self, channels: Sequence[str], rate_hz: float, rng: np.random.Generator) -> None:
        correlation = spread(channels, channels, 0.45 * np.sqrt(2))
        mixing = np.linalg.cholesky(correlation + 1e-3 * np.eye(len(channels)))
        self._mixing_uv = np.ascontiguousarray(self.BACKGROUND_UV * mixing.T)
        self._activity = Coloured(power_law(self.EXPONENT, rate_hz), len(channels), rng)
        self._rng = rng

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        values += self._activity.next(len(values)) @ self._mixing_uv
        values += self.SENSOR_UV * self._rng.standard_normal(values.shape)
        return ()


class Alpha:
    """The posterior rhythm, 10 Hz; strong with closed eyes (Berger 1929), weak with open ones.

    Parameters
    ----------
    channels
        Electrode names.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    closes_eyes
        Whether the eyes are closed while a class is meant; else they stay open.
    """

    OPEN_UV = 3.0
    CLOSED_UV = 10.0
    SOURCES = ("O1", "O2", "POz")

    def __init__(
        self, channels: Sequence[str], rate_hz: float, rng: np.random.Generator, closes_eyes: bool
    ) -> None:
        self._gains = spread(channels, self.SOURCES).T / np.sqrt(len(self.SOURCES))
        self._rhythm = Coloured(rhythm(10.0, 1.5, rate_hz), len(self.SOURCES), rng)
        self._closed = Smoothed(1, 0.15, rate_hz)
        self._closes_eyes = closes_eyes

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        closed = np.float64(self._closes_eyes) * (meant.classes > 0)[:, None]
        amplitude = self.OPEN_UV + (self.CLOSED_UV - self.OPEN_UV) * self._closed.next(closed)
        values += (amplitude * self._rhythm.next(len(values))) @ self._gains
        return ()


class Mains:
    """Hum of the power line and its third harmonic, on each electrode as badly as it is attached.

    Parameters
    ----------
    n_channels
        Number of electrodes.
    mains_hz
        Frequency of the power line.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    AMPLITUDE_UV = 2.0

    def __init__(
        self, n_channels: int, mains_hz: float, rate_hz: float, rng: np.random.Generator
    ) -> None:
        gains = self.AMPLITUDE_UV * rng.uniform(0.2, 1.0, n_channels)
        harmonics = [k for k in (1, 3) if k * mains_hz < rate_hz / 2]
        self._turns = np.array(harmonics, np.float64) * mains_hz / rate_hz
        self._gains = np.outer(1 / np.array(harmonics, np.float64) ** 2, gains)
        self._first = 0

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        samples = np.arange(self._first, self._first + len(values), dtype=np.float64)
        self._first += len(values)
        values += np.sin(2 * np.pi * ((samples[:, None] * self._turns) % 1.0)) @ self._gains
        return ()


class Blinks:
    """Blinks: single humps of about 0.3 s, largest at the forehead (corneo-retinal dipole).

    Parameters
    ----------
    channels
        Electrode names.
    per_minute
        How many on average.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    AMPLITUDE_UV = (80.0, 160.0)
    LENGTH_S = (0.25, 0.4)

    def __init__(
        self, channels: Sequence[str], per_minute: float, rate_hz: float, rng: np.random.Generator
    ) -> None:
        self._gains = spread(channels, ("Fpz",), 0.5).T
        self._moments = _moments(60.0 / per_minute * rate_hz, 0.5 * rate_hz, rng)
        self._humps = Tails(1)
        self._next = next(self._moments)
        self._first = 0
        self._rate_hz = rate_hz
        self._rng = rng

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        while self._next < self._first + len(values):
            length = round(self._rng.uniform(*self.LENGTH_S) * self._rate_hz)
            hump = self._rng.uniform(*self.AMPLITUDE_UV) * np.hanning(length)
            self._humps.add(self._next - self._first, hump[:, None])
            self._next = next(self._moments)
        self._first += len(values)
        values += self._humps.next(len(values)) @ self._gains
        return ()


class Muscle:
    """Bursts of muscle activity above 20 Hz, at one temple or the other.

    Parameters
    ----------
    channels
        Electrode names.
    per_minute
        How many on average.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    AMPLITUDE_UV = (8.0, 25.0)
    LENGTH_S = (0.3, 1.5)
    SOURCES = ("T7", "T8")

    def __init__(
        self, channels: Sequence[str], per_minute: float, rate_hz: float, rng: np.random.Generator
    ) -> None:
        self._gains = spread(channels, self.SOURCES, 0.35).T
        corner_hz = min(20.0, rate_hz / 4)
        noise_rng, self._rng = rng.spawn(2)
        self._noise = Coloured(high_passed(corner_hz, rate_hz), len(self.SOURCES), noise_rng)
        self._moments = _moments(60.0 / per_minute * rate_hz, 0.5 * rate_hz, self._rng)
        self._bursts = Tails(len(self.SOURCES))
        self._next = next(self._moments)
        self._first = 0
        self._rate_hz = rate_hz

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        while self._next < self._first + len(values):
            length = round(self._rng.uniform(*self.LENGTH_S) * self._rate_hz)
            side = np.eye(len(self.SOURCES))[self._rng.integers(len(self.SOURCES))]
            rise = self._rng.uniform(*self.AMPLITUDE_UV) * np.sqrt(np.hanning(length))
            self._bursts.add(self._next - self._first, np.outer(rise, side))
            self._next = next(self._moments)
        self._first += len(values)
        values += (self._bursts.next(len(values)) * self._noise.next(len(values))) @ self._gains
        return ()


def _moments(mean: float, least: float, rng: np.random.Generator) -> Iterator[int]:
    """Yield samples of chance moments, on average `mean` and at least `least` apart."""
    at = 0.0
    while True:
        at += least + rng.exponential(max(mean - least, least))
        yield round(at)
