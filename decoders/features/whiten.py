"""Whitening of the channels by the mean covariance of their own session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.numerics.spd import roots
from decoders.stage import Step
from devices.signal import Chunk, Signal

__all__ = ["Whiten"]


@dataclass(frozen=True)
class Whiten:
    r"""Make the channels' mean covariance the identity, sample by sample: Euclidean alignment.

    .. math:: y_t = R^{-1/2} x_t, \quad R = (1 - \lambda) S + \lambda \frac{\operatorname{tr} S}{n}
        I, \quad S = \frac{1}{N} \sum_t x_t x_t^T

    over all samples of the first `calibration_s`, and then on as `time_constant_s` says (He & Wu,
    "Transfer learning for brain-computer interfaces: a Euclidean space data alignment approach",
    IEEE Trans. Biomed. Eng. 67, 2020). What `recentre` does to covariances, for whatever comes
    behind: epochs, spatial filters, networks. No labels are needed; it begins anew with each run.
    The mean is not subtracted: put a high-pass or band-pass before. Without a unit.

    Parameters
    ----------
    calibration_s
        The first seconds, which set R; samples come out after them.
    time_constant_s
        How long R remembers from then on, if not longer than it has run; ``inf``: all that came.
        0: it stays as the first seconds left it.
    shrinkage
        λ, 0 to 1: how far towards a multiple of the identity.
    """

    calibration_s: float = 30.0
    time_constant_s: float = 0.0
    shrinkage: float = 0.001

    def __post_init__(self) -> None:
        if not self.calibration_s > 0 or not self.time_constant_s >= 0:
            raise ValueError(
                "whiten needs calibration_s > 0 and time_constant_s >= 0; it has calibration_s = "
                f"{self.calibration_s}, time_constant_s = {self.time_constant_s}"
            )
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"shrinkage must be 0 to 1, not {self.shrinkage}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return _Running(self, signal, block)


class _Running:
    def __init__(self, recipe: Whiten, signal: Signal, block: int) -> None:
        n = signal.n_channels
        self.signal = Signal(signal.rate_hz, signal.channels, "1")
        self.block = block
        self._shrinkage = recipe.shrinkage
        block_s = block / signal.rate_hz
        self._cold = max(1, round(recipe.calibration_s / block_s))
        self._longest = recipe.time_constant_s / block_s
        self._seen = 0
        self._wide = np.empty((block, n))
        self._products, self._mean, self._whitening = np.zeros((3, n, n))
        self._values = np.empty((block, n))

    def __call__(self, chunk: Chunk) -> Chunk:
        self._wide[:] = chunk.values
        self._seen += 1
        if self._seen <= self._cold or self._longest:
            self._follow()
        if self._seen <= self._cold:
            return Chunk(chunk.times[:0], self._values[:0])
        np.matmul(self._wide, self._whitening, out=self._values)
        return Chunk(chunk.times, self._values)

    def _follow(self) -> None:
        seen, products = self._seen, self._products
        weight = 1.0 / (seen if seen <= self._cold else min(seen, max(self._longest, 1.0)))
        np.matmul(self._wide.T, self._wide, out=products)
        products *= 1.0 / self.block
        products -= self._mean
        products *= weight
        self._mean += products
        if seen >= self._cold:
            share = self._shrinkage
            products[:] = self._mean
            products *= 1.0 - share
            products.flat[:: len(products) + 1] += share * np.trace(self._mean) / len(products)
            self._whitening[:] = roots(products)[1]
