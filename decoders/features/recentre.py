"""Re-centring of covariance matrices: each session's mean becomes the identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.spd import order, roots, symmetric_index, upper_index
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["Recentre"]

_WIDEST = 1e6
"""By how much one matrix may depart from the mean, in any direction, and still pull at it."""


@dataclass(frozen=True)
class Recentre:
    r"""Whiten each covariance by the mean of its own session, so that sessions and people agree.

    .. math:: M_t = M_{t-1} \#_{w_t} C_t, \quad C'_t = M_t^{-1/2} C_t M_t^{-1/2}

    where :math:`\#_w` is the point at the share w of the way from one to the other: along the
    geodesic, :math:`M^{1/2} (M^{-1/2} C M^{-1/2})^w M^{1/2}` (Zanini et al., "Transfer learning: a
    Riemannian geometry framework", IEEE Trans. Biomed. Eng. 65, 2018; the recursion: Ho et al.,
    "Recursive Karcher expectation estimators", ICML 2013), or along the straight line. With
    :math:`w_t = 1 / t` it is the mean of all that came. No labels are needed. It begins anew with
    each run, so a model that was fitted behind it meets a new day, or a new person, as it met the
    old: after `calibration_s`. Wants a covariance before it; without a unit.

    Parameters
    ----------
    metric
        ``riemann``: the geodesic. ``euclid``: the straight line, which follows strong artefacts
        more, and costs half.
    calibration_s
        The first seconds of covariances, which set the mean; rows begin after them. Let them hold
        what the session will hold: all classes, and the pauses if those are decoded too.
    time_constant_s
        How long the mean remembers from then on, if not longer than it has run: ``inf``: all that
        came. 0: it stays as the first seconds left it.
    """

    metric: Literal["riemann", "euclid"] = "riemann"
    calibration_s: float = 30.0
    time_constant_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.calibration_s >= 0 or not self.time_constant_s >= 0:
            raise ValueError(
                "recentre needs calibration_s >= 0 and time_constant_s >= 0; it has calibration_s "
                f"= {self.calibration_s}, time_constant_s = {self.time_constant_s}"
            )
        if self.calibration_s == self.time_constant_s == 0:
            raise ValueError(
                "recentre has nothing to set its mean by: give it calibration_s, or time_constant_s"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: Recentre, signal: Signal, block: int) -> None:
        n = order(signal.n_channels)
        self.signal = Signal(signal.rate_hz, signal.channels, "1")
        self.block = block
        self._riemann = recipe.metric == "riemann"
        self._cold = round(recipe.calibration_s * signal.rate_hz)
        self._longest = recipe.time_constant_s * signal.rate_hz
        self._seen = 0
        self._index, self._upper = symmetric_index(n), upper_index(n)
        self._full, self._half, self._white, self._mean = np.zeros((4, n, n))
        self._root, self._whitening = np.zeros((2, n, n))
        self._row = np.empty(signal.n_channels)
        self._values = np.empty((block, signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        out = self._values
        for row, whitened in zip(chunk.values, out, strict=True):
            self._row[:] = row
            self._row.take(self._index, out=self._full)
            self._seen += 1
            if self._seen <= self._cold or self._longest:
                self._follow()
            self._whiten()
            self._white.take(self._upper, out=whitened)
        if self._seen <= self._cold:
            return Chunk(chunk.times[:0], out[:0])
        return Chunk(chunk.times, out)

    def _whiten(self) -> None:
        np.matmul(self._whitening, self._full, out=self._half)
        np.matmul(self._half, self._whitening, out=self._white)

    def _follow(self) -> None:
        """Move the mean towards the newest covariance."""
        mean, seen = self._mean, self._seen
        weight = 1.0 / (seen if seen <= self._cold else min(seen, max(self._longest, 1.0)))
        if seen == 1:
            mean[:] = self._full
        elif self._riemann:
            self._whiten()
            np.matmul(self._root, _power(self._white, weight), out=self._half)
            np.matmul(self._half, self._root, out=mean)
        else:
            np.subtract(self._full, mean, out=self._half)
            self._half *= weight
            mean += self._half
        self._root[:], self._whitening[:] = roots(mean)


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    np.clip(values, 1 / _WIDEST, _WIDEST, out=values)
    return np.asarray((vectors * values**exponent) @ vectors.T, np.float64)
