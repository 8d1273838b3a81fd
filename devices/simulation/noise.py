"""Noise and rhythms with a memory: generated block by block, the same to the bit however long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfreqz, tf2sos

__all__ = ["Coloured", "Smoothed", "Tails", "high_passed", "power_law", "rhythm"]

_POLES_PER_DECADE = 2


class Coloured:
    """White Gaussian noise through a filter, scaled to a standard deviation of 1.

    Parameters
    ----------
    sos
        (n_sections, 6) the filter, as scipy has it.
    n
        Number of independent columns.
    rng
        Draws from it are made by this object alone.
    """

    def __init__(self, sos: NDArray[np.float64], n: int, rng: np.random.Generator) -> None:
        self._sos = sos.copy()
        self._sos[0, :3] /= _noise_gain(sos)
        self._state = np.zeros((len(sos), 2, n))
        self._rng = rng
        self._n = n

    def next(self, n_samples: int) -> NDArray[np.float64]:
        """Return the next (n_samples, n)."""
        white = self._rng.standard_normal((n_samples, self._n))
        coloured, self._state = sosfilt(self._sos, white, axis=0, zi=self._state)
        return coloured


class Tails:
    """Responses to moments, that last on into the blocks to come: overlap-add.

    Parameters
    ----------
    n
        Number of columns.
    """

    def __init__(self, n: int) -> None:
        self._ahead = np.zeros((0, n))

    def add(self, at: int, response: NDArray[np.float64]) -> None:
        """Let a (m, n) response begin `at` samples into the next block."""
        self._extend(at + len(response))
        self._ahead[at : at + len(response)] += response

    def next(self, n_samples: int) -> NDArray[np.float64]:
        """Return the next (n_samples, n)."""
        self._extend(n_samples)
        now, self._ahead = self._ahead[:n_samples], self._ahead[n_samples:]
        return now

    def _extend(self, n_samples: int) -> None:
        if (missing := n_samples - len(self._ahead)) > 0:
            more = np.zeros((missing, self._ahead.shape[1]))
            self._ahead = np.concatenate((self._ahead, more))


class Smoothed:
    """Lets what changes in steps change smoothly: two equal poles, so it lags by 2 `tau_s`.

    Parameters
    ----------
    n
        Number of columns.
    tau_s
        Time constant of each pole.
    rate_hz
        Of the samples.
    """

    def __init__(self, n: int, tau_s: float, rate_hz: float) -> None:
        pole = np.exp(-1.0 / (tau_s * rate_hz))
        self._sos = np.array([[(1 - pole) ** 2, 0, 0, 1, -2 * pole, pole**2]])
        self._state = np.zeros((1, 2, n))

    def next(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next smoothed (n_samples, n)."""
        smooth, self._state = sosfilt(self._sos, steps, axis=0, zi=self._state)
        return smooth


def power_law(exponent: float, rate_hz: float, low_hz: float = 0.3) -> NDArray[np.float64]:
    """Return a filter whose output has power ~ 1 / f^exponent between `low_hz` and Nyquist.

    Poles spaced evenly in log f, each followed by a zero at a distance of exponent / 2 of the
    spacing (Oustaloup et al., IEEE Trans. Circuits Syst. I 47:25, 2000), by the matched
    z-transform.

    Returns
    -------
    (n_sections, 6) float64
    """
    n = max(1, round(_POLES_PER_DECADE * np.log10(rate_hz / 2 / low_hz)))
    ratio = (rate_hz / 2 / low_hz) ** (1 / n)
    poles_hz = low_hz * ratio ** np.arange(n)
    zeros_hz = poles_hz * ratio ** (exponent / 2)
    sections = [
        (_matched(zero, rate_hz), _matched(pole, rate_hz))
        for pole, zero in zip(poles_hz, zeros_hz, strict=True)
    ]
    return np.array([[1, -zero, 0, 1, -pole, 0] for zero, pole in sections], np.float64)


def rhythm(centre_hz: float, width_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """Return a resonance: noise through it is a rhythm that waxes and wanes.

    Two poles of radius ``exp(-π width / rate)``, zeros at 0 and Nyquist; the power has fallen to
    half at ``centre ± width / 2``.

    Returns
    -------
    (1, 6) float64
    """
    radius = np.exp(-np.pi * width_hz / rate_hz)
    angle = 2 * np.pi * centre_hz / rate_hz
    return tf2sos([1, 0, -1], [1, -2 * radius * np.cos(angle), radius**2])


def high_passed(corner_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """Return a second-order Butterworth high-pass, (1, 6) float64."""
    return butter(2, corner_hz, "highpass", fs=rate_hz, output="sos")


def _matched(frequency_hz: float, rate_hz: float) -> float:
    return float(np.exp(-2 * np.pi * frequency_hz / rate_hz))


def _noise_gain(sos: NDArray[np.float64]) -> float:
    """Return the standard deviation that white noise of 1 has after the filter."""
    _, response = sosfreqz(sos, worN=1 << 16)
    return float(np.sqrt(np.mean(np.abs(response) ** 2)))
