"""Running z-score: each channel relative to its own recent mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["Zscore"]


@dataclass(frozen=True)
class Zscore:
    r"""Subtract a running mean and divide by a running deviation, exponentially forgotten.

    For each row :math:`x_t`, with :math:`w_t = 1 / \min(t, T)` and T the time constant in rows:

    .. math:: \delta = x_t - m_{t-1}, \quad m_t = m_{t-1} + w_t \delta, \quad
        v_t = (1 - w_t) (v_{t-1} + w_t \delta^2)

    and out comes :math:`(x_t - m_t) / \sqrt{v_t}`: the plain mean and variance of all that came
    until T rows are there, forgetting exponentially from then on (Welford, Technometrics 4, 1962;
    Finch, "Incremental calculation of weighted mean and variance", 2009). Causal: a row counts
    for its own mean. A channel that has not moved gives 0. Without a unit.

    Parameters
    ----------
    time_constant_s
        T, in seconds.
    warm_up_s
        Rows begin after so long, when mean and deviation have settled.
    limit
        Larger values, of either sign, are cut to this; 0: they are not.
    """

    time_constant_s: float = 30.0
    warm_up_s: float = 5.0
    limit: float = 0.0

    def __post_init__(self) -> None:
        if not self.time_constant_s > 0 or not self.warm_up_s >= 0 or not self.limit >= 0:
            raise ValueError(
                "zscore needs time_constant_s > 0, warm_up_s >= 0 and limit >= 0; it has "
                f"time_constant_s = {self.time_constant_s}, warm_up_s = {self.warm_up_s}, "
                f"limit = {self.limit}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: Zscore, signal: Signal, block: int) -> None:
        n = signal.n_channels
        self.signal = Signal(signal.rate_hz, signal.channels, "1")
        self.block = block
        self._longest = max(1.0, recipe.time_constant_s * signal.rate_hz)
        self._cold = round(recipe.warm_up_s * signal.rate_hz)
        self._limit = recipe.limit
        self._seen = 0
        self._mean, self._variance = np.zeros((2, n))
        self._delta, self._scratch = np.empty((2, n))
        self._values = np.empty((block, n))

    def __call__(self, chunk: Chunk) -> Chunk:
        out = self._values
        for x, z in zip(chunk.values, out, strict=True):
            self._take(x, z)
        if self._seen <= self._cold:
            return Chunk(chunk.times[:0], out[:0])
        if self._limit:
            np.clip(out, -self._limit, self._limit, out=out)
        return Chunk(chunk.times, out)

    def _take(self, x: NDArray[np.floating], z: NDArray[np.float64]) -> None:
        mean, variance, delta, scratch = self._mean, self._variance, self._delta, self._scratch
        self._seen += 1
        weight = 1.0 / min(self._seen, self._longest)
        if self._seen == 1:
            mean[:] = x
        np.subtract(x, mean, out=delta)
        np.multiply(delta, weight, out=scratch)
        mean += scratch
        scratch *= delta
        variance += scratch
        variance *= 1.0 - weight
        np.subtract(x, mean, out=z)
        np.sqrt(variance, out=scratch)
        # A deviation of round-off alone is none.
        np.abs(mean, out=delta)
        delta *= 1e-9
        scratch[scratch <= delta] = np.inf
        z /= scratch
