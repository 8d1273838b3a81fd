"""Covariance of the channels over a trailing window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from decoders.numerics.spd import n_triangle, upper_index
from decoders.numerics.window import Window, window_blocks
from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["Covariance"]


@dataclass(frozen=True)
class Covariance:
    r"""Running covariance over a trailing window, as the values of its upper triangle.

    .. math:: C = (1 - \lambda) S + \lambda \frac{\operatorname{tr} S}{n} I, \quad
        S = \frac{1}{N} \sum_t x_t x_t^T

    The mean is not subtracted: put a high-pass or band-pass before. One row of n (n + 1) / 2 values
    a block (see `decoders.numerics.spd`); features are named ``"C3*C4"``, the unit is the square of
    the channels'. Each block adds its own sum of products, and the window is added up anew each
    time, so nothing drifts.

    Parameters
    ----------
    window_s
        Length of the window; the nearest whole number of blocks. Rows begin once it is full.
    shrinkage
        λ, 0 to 1: how far towards a multiple of the identity. Above 0 the matrix can be inverted
        whatever the channels do (Ledoit & Wolf, J. Multivar. Anal. 88, 2004, for the form).
    """

    window_s: float
    shrinkage: float = 0.001

    def __post_init__(self) -> None:
        if not self.window_s > 0:
            raise ValueError(f"window_s must be positive, not {self.window_s}")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"shrinkage must be 0 to 1, not {self.shrinkage}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        blocks = window_blocks(self.window_s, signal.rate_hz, block)
        if self.shrinkage == 0 and blocks * block < signal.n_channels:
            raise Mismatch(
                f"{blocks * block} samples are too few for the covariance of "
                f"{signal.n_channels} channels; use a longer window_s, or shrinkage above 0"
            )
        return _Running(self, signal, block, blocks)


class _Running:
    def __init__(self, recipe: Covariance, signal: Signal, block: int, blocks: int) -> None:
        n = signal.n_channels
        names = signal.channels
        self.block = 1
        self.signal = Signal(
            signal.rate_hz / block,
            tuple(f"{a}*{b}" for i, a in enumerate(names) for b in names[i:]),
            f"{signal.unit}^2",
        )
        self._upper = upper_index(n)
        self._diagonal = np.flatnonzero(self._upper % (n + 1) == 0)
        self._scale = (1 - recipe.shrinkage) / (blocks * block)
        self._sum_to_trace = recipe.shrinkage / (blocks * block * n)
        self._wide = np.empty((block, n))
        self._products = np.empty((n, n))
        self._flat = self._products.ravel()
        self._window = Window(blocks, n_triangle(n))
        self._values = np.empty((1, n_triangle(n)))

    def __call__(self, chunk: Chunk) -> Chunk:
        wide, out = self._wide, self._values
        wide[:] = chunk.values
        np.matmul(wide.T, wide, out=self._products)
        self._flat.take(self._upper, out=self._window.slot)
        row = out[0]
        if not self._window.total(row):
            return Chunk(chunk.times[:0], out[:0])
        added = row[self._diagonal].sum() * self._sum_to_trace
        row *= self._scale
        row[self._diagonal] += added
        return Chunk(chunk.times[-1:], out)
