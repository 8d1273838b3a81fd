"""What an intent changes in the EEG: imagined movement, looking at a flicker, counting flashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.simulation.electrodes import spread
from devices.simulation.intent import Meant
from devices.simulation.layers import Marks
from devices.simulation.noise import Coloured, Smoothed, Tails, rhythm

__all__ = ["Flashes", "Flicker", "Sensorimotor"]


class Sensorimotor:
    """Mu (11 Hz) and beta (21 Hz) over the sensorimotor areas, which imagined movement weakens.

    The power of a rhythm is ``exp(ln(1 - ERD) · strength · effort · weight)`` of its power at
    rest; at full weight and mean effort the mu power falls by 65 % within half a second of the
    cue (event-related desynchronisation of 30 to 60 % contralateral to the hand, growth over the
    hands while the feet are meant: Pfurtscheller & Lopes da Silva, Clin. Neurophysiol. 110:1842,
    1999; Pfurtscheller et al., NeuroImage 31:153, 2006). Effort differs from trial to trial, and
    some trials fail, as people's do.

    Parameters
    ----------
    channels
        Electrode names.
    weights
        (n_classes, 3), a row of `intent.IMAGERY` for each class.
    strength
        1 for an able participant, 0 for one whose rhythms do not react.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    SOURCES = ("C3", "Cz", "C4")
    MU_UV = (7.5, 4.0, 7.5)
    BETA_UV = (2.6, 2.8, 2.6)
    MU_ERD = 0.65
    BETA_ERD = 0.45
    EFFORT = (1.0, 0.25)
    TRIAL_SPREAD = 0.2

    def __init__(
        self,
        channels: Sequence[str],
        weights: NDArray[np.float64],
        strength: float,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> None:
        noise_rng, self._rng = rng.spawn(2)
        mu_rng, beta_rng = noise_rng.spawn(2)
        self._gains = spread(channels, self.SOURCES).T
        self._weights = np.vstack((np.zeros(3), weights))
        self._mu = Coloured(rhythm(11.0, 3.0, rate_hz), 3, mu_rng)
        self._beta = Coloured(rhythm(21.0, 5.0, rate_hz), 3, beta_rng)
        self._mu_drop = 0.5 * strength * np.log(1 - self.MU_ERD)
        self._beta_drop = 0.5 * strength * np.log(1 - self.BETA_ERD)
        self._smoothed = Smoothed(3, 0.15, rate_hz)
        self._vigour = Smoothed(3, 0.3, rate_hz)
        self._now = np.zeros(3)
        self._mood = np.zeros(3)

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        n = len(values)
        wanted, mood = np.empty((n, 3)), np.empty((n, 3))
        wanted[:], mood[:] = self._now, self._mood
        for at, number in meant.onsets:
            effort = max(0.0, self._rng.normal(*self.EFFORT))
            self._now = effort * self._weights[number]
            self._mood = self._rng.normal(0.0, self.TRIAL_SPREAD, 3)
            wanted[at:], mood[at:] = self._now, self._mood
        given_way, mood = self._smoothed.next(wanted), self._vigour.next(mood)
        mu_uv = self.MU_UV * np.exp(self._mu_drop * given_way + mood)
        beta_uv = self.BETA_UV * np.exp(self._beta_drop * given_way + mood)
        rhythms = mu_uv * self._mu.next(n) + beta_uv * self._beta.next(n)
        values += rhythms @ self._gains
        return ()


class Flicker:
    """Steady-state visual evoked potentials: the occipital cortex follows the flicker looked at.

    ``a_h sin(2π h f (t - t_cue - 0.14 s))`` for the harmonics h = 1, 2, 3 with amplitudes 1, 0.5
    and 0.25 of the fundamental's (1 to 3 uV over Oz; Vialatte et al., Progress in Neurobiology
    90:418, 2010; latency: Wang et al., IEEE TNSRE 25:1746, 2017).

    Parameters
    ----------
    channels
        Electrode names.
    frequencies_hz
        One for each class.
    strength
        1: a fundamental of 2.5 uV on average.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    SOURCES = ("O1", "Oz", "O2")
    FUNDAMENTAL_UV = 2.5
    HARMONICS = (1.0, 0.5, 0.25)
    LATENCY_S = 0.14

    def __init__(
        self,
        channels: Sequence[str],
        frequencies_hz: Sequence[float],
        strength: float,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> None:
        self._gain = spread(channels, self.SOURCES).mean(axis=1)
        self._turns = np.array(frequencies_hz) / rate_hz
        self._latency = self.LATENCY_S * rate_hz
        self._smoothed = Smoothed(len(self._turns), 0.07, rate_hz)
        self._strength_uv = strength * self.FUNDAMENTAL_UV
        self._amplitude_uv = 0.0
        self._now = 0
        self._cue = 0
        self._first = 0
        self._rng = rng

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block."""
        n = len(values)
        looked = np.zeros((n, len(self._turns)))
        cue = np.full(n, self._cue, np.float64)
        self._look(looked, 0)
        for at, number in meant.onsets:
            self._now = number
            looked[at:] = 0
            if number:
                self._amplitude_uv = self._strength_uv * self._rng.lognormal(-0.06, 0.35)
                self._cue = self._first + at
                cue[at:] = self._cue
                self._look(looked, at)
        since = np.arange(self._first, self._first + n) - cue - self._latency
        self._first += n
        turns = since[:, None] * self._turns
        waves = sum(
            share * np.sin(2 * np.pi * (k * turns % 1.0))
            for k, share in enumerate(self.HARMONICS, start=1)
        )
        values += np.outer((self._smoothed.next(looked) * waves).sum(axis=1), self._gain)
        return ()

    def _look(self, looked: NDArray[np.float64], at: int) -> None:
        if self._now:
            looked[at:, self._now - 1] = self._amplitude_uv


@dataclass(frozen=True, slots=True)
class _Wave:
    """A bump of an evoked response: peak in uV at a latency, Gaussian, over some electrodes."""

    peak_uv: float
    latency_s: float
    sd_s: float


class Flashes:
    """An oddball: items flash in random order while one of them is attended to (P300 speller).

    Each flash evokes P1 and N1 over the occipital cortex; the attended item's also an N2 and, at
    about 0.3 s, a P3b of 8 uV over parietal cortex whose latency and size differ from flash to
    flash (Polich, Clin. Neurophysiol. 118:2128, 2007; speller: Farwell & Donchin 1988). Each is
    marked twice: ``flash-ITEM``, then ``target`` or ``nontarget``.

    Parameters
    ----------
    channels
        Electrode names.
    items
        What can be attended to: the classes.
    period_s
        From one flash to the next.
    strength
        1: a P3b of 8 uV.
    rate_hz
        Of the samples.
    rng
        This layer's own.
    """

    VISUAL = (_Wave(1.5, 0.1, 0.015), _Wave(-2.0, 0.17, 0.02))
    N2 = _Wave(-2.0, 0.22, 0.025)
    P3 = _Wave(8.0, 0.32, 0.06)
    LENGTH_S = 0.8
    LATENCY_SD_S = 0.025
    SIZE_SD = 0.35

    def __init__(
        self,
        channels: Sequence[str],
        items: Sequence[str],
        period_s: float,
        strength: float,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> None:
        visual = spread(channels, ("O1", "O2")).mean(axis=1)
        parietal = spread(channels, ("Pz", "CPz"), 0.6).mean(axis=1)
        self._gains = np.vstack((visual, parietal))
        self._items = tuple(items)
        self._period = max(1, round(period_s * rate_hz))
        self._strength = strength
        self._time_s = np.arange(round(self.LENGTH_S * rate_hz)) / rate_hz
        self._tails = Tails(2)
        self._order: list[int] = []
        self._attended = 0
        self._due = 0
        self._first = 0
        self._rng = rng

    def add(self, values: NDArray[np.float64], meant: Meant) -> Marks:
        """Add the next block, and mark its flashes."""
        n = len(values)
        marks: list[tuple[int, str]] = []
        for at, number in meant.onsets:
            self._flash_until(at, marks)
            self._attended = number
            self._due = self._first + at + self._period
        self._flash_until(n, marks)
        self._first += n
        values += self._tails.next(n) @ self._gains
        return tuple(marks)

    def _flash_until(self, end: int, marks: list[tuple[int, str]]) -> None:
        while self._attended and self._due < self._first + end:
            at = self._due - self._first
            self._order = self._order or self._rng.permutation(len(self._items)).tolist()
            item = self._order.pop()
            is_target = item == self._attended - 1
            self._tails.add(at, self._response(is_target))
            kind = "target" if is_target else "nontarget"
            marks += [(at, f"flash-{self._items[item]}"), (at, kind)]
            self._due += self._period

    def _response(self, is_target: bool) -> NDArray[np.float64]:
        later_s, size = self._rng.normal((0.0, 1.0), (self.LATENCY_SD_S, self.SIZE_SD))
        visual = sum(self._bump(wave, 0.0) for wave in self.VISUAL)
        late = self._bump(self.N2, later_s) + self._bump(self.P3, later_s)
        scale = self._strength * max(size, 0.0) if is_target else 0.0
        return np.column_stack((visual, scale * late))

    def _bump(self, wave: _Wave, later_s: float) -> NDArray[np.float64]:
        apart = (self._time_s - wave.latency_s - later_s) / wave.sd_s
        return wave.peak_uv * np.exp(-0.5 * apart**2)
