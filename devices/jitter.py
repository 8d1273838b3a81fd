"""Regular times for samples that were sampled regularly but stamped when they were sent.

A straight line is drawn through the means of each half second of stamps, all of them at first,
then the more recent ones (an expanding-memory, then fading alpha-beta filter: Brookner, *Tracking
and Kalman Filtering Made Easy*, 1998, chapter 1). Samples of a sender that
stamps well are left exactly as they are, so a marker that bears the stamp of its sample keeps it.
The fit counts samples, not chunks: how the network cut them changes nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dejitter"]

_FIT_S = 0.5
_MIN_FIT = 16
_MEMORY = 40
"""Means that the line rests on; older ones fade."""


class Dejitter:
    """Smooths the times of one gap-free stretch after the other.

    Parameters
    ----------
    rate_hz
        Samples that really come each second.

    Attributes
    ----------
    bound_s
        No time is moved further than this: two periods, or 10 ms if that is more.
    """

    def __init__(self, rate_hz: float) -> None:
        self._nominal_s = 1.0 / rate_hz
        self._n_fit = max(_MIN_FIT, round(_FIT_S * rate_hz))
        self._steps = np.arange(self._n_fit, dtype=np.float64)
        self._stamps = np.zeros(self._n_fit)
        self._centre = (self._n_fit - 1) / 2
        self._spread = float(np.sum((self._steps - self._centre) ** 2))
        self._limit_s = max(0.1 * self._nominal_s, 5e-5)
        self.bound_s = max(2 * self._nominal_s, 0.01)
        self.restart()

    def restart(self) -> None:
        """Begin anew: what comes next does not follow what was before."""
        self._period_s = self._nominal_s
        self._line_s: float | None = None
        self._is_smoothing = self._is_doubtful = False
        self._n_fits = 0
        self._n = 0

    def smooth(self, times: NDArray[np.float64]) -> None:
        """Smooth (n,) `times` in place; they follow the last ones without a gap."""
        start = 0
        while start < len(times):
            stop = min(len(times), start + self._n_fit - self._n)
            self._follow(times[start:stop])
            start = stop

    def _follow(self, times: NDArray[np.float64]) -> None:
        """Take samples up to the end of the present fit, at most."""
        if self._line_s is None:
            self._line_s = float(times[0])
        start, self._n = self._n, self._n + len(times)
        self._stamps[start : self._n] = times
        if self._is_smoothing:
            line = self._steps[start : self._n] * self._period_s
            line += self._line_s
            np.clip(line, times - self.bound_s, times + self.bound_s, out=times)
        if self._n == self._n_fit:
            self._fit(self._line_s)

    def _fit(self, line_s: float) -> None:
        """Judge the jitter around the fit, and lead the line on through its mean."""
        late = self._stamps - (line_s + self._steps * self._period_s)
        mean_s = float(late.mean())
        slope_s = float(late @ (self._steps - self._centre)) / self._spread
        variance = float(late @ late) / self._n_fit - mean_s**2
        variance -= slope_s**2 * self._spread / self._n_fit
        jitter_s = math.sqrt(max(variance, 0.0))
        self._n = 0
        if max(abs(mean_s), jitter_s) > self.bound_s:
            self._doubt(line_s)
            return
        self._is_doubtful = False
        # Between the two limits it stays as it is.
        self._is_smoothing = jitter_s > (self._limit_s / 2 if self._is_smoothing else self._limit_s)
        self._n_fits = k = min(self._n_fits + 1, _MEMORY)
        alpha = 2 * (2 * k - 1) / (k * (k + 1))
        beta = 6 / (k * (k + 1)) if k > 1 else 0.0
        centre_s = line_s + self._centre * self._period_s + alpha * mean_s
        self._period_s += beta * mean_s / self._n_fit
        self._line_s = centre_s + (self._n_fit - self._centre) * self._period_s

    def _doubt(self, line_s: float) -> None:
        """Go on without a fit that holds a hiccup of the sender; after two, begin anew."""
        if self._is_doubtful:
            self.restart()
        else:
            self._is_doubtful = True
            self._line_s = line_s + self._n_fit * self._period_s
