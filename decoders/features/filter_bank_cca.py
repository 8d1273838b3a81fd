"""Canonical correlation with the sines of a flicker, in several bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.iir import SosFilter, butterworth
from decoders.numerics.window import FLOOR, Window, window_blocks
from decoders.stage import Mismatch, Step
from devices.signal import Chunk, Signal

__all__ = ["FilterBankCca"]

_RANK = 1e-10
"""Directions with less than this share of the greatest variance are none."""


@dataclass(frozen=True)
class FilterBankCca:
    r"""How well a mix of the channels follows each frequency and its harmonics, band by band.

    .. math:: \rho_{b,f} = \max_{w, v} \operatorname{corr}(X_b w, Y_f v)

    over a trailing window, with :math:`X_b` the channels in band b and :math:`Y_f` sines and
    cosines of f, 2 f, … (Lin et al., IEEE Trans. Biomed. Eng. 53, 2006; in bands: Chen et al.,
    "Filter bank canonical correlation analysis", J. Neural Eng. 12, 2015). Chen weighs the bands
    by a formula; here a decoder behind learns the weights, and what rest looks like. Any phase
    fits a sine and a cosine, so no marker of the flicker's onset is needed. One row a block; the
    features are named ``"13 Hz, 6-30 Hz"``, band by band.

    Parameters
    ----------
    frequencies_hz
        Of the flickers.
    window_s
        Length of the trailing window; rows begin once it is full.
    bands
        Two edges in Hz for each band.
    harmonics
        Sines a frequency: 1 is the frequency itself.
    order
        Of the Butterworth prototypes.
    """

    frequencies_hz: Sequence[float]
    window_s: float
    bands: Sequence[Sequence[float]] = ((6.0, 50.0),)
    harmonics: int = 2
    order: int = 4

    def __post_init__(self) -> None:
        if not self.frequencies_hz or not all(f > 0 for f in self.frequencies_hz):
            raise ValueError(f"frequencies_hz must be positive, not {list(self.frequencies_hz)}")
        if not self.bands or not all(len(b) == 2 and 0 < b[0] < b[1] for b in self.bands):
            raise ValueError(
                f"each of the bands needs two edges, 0 < low < high, not {self.bands!r}"
            )
        if not self.window_s > 0 or self.harmonics < 1 or self.order < 1:
            raise ValueError(
                "filter_bank_cca needs window_s > 0, harmonics >= 1 and order >= 1; it has "
                f"window_s = {self.window_s}, harmonics = {self.harmonics}, order = {self.order}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        highest_hz = max(self.frequencies_hz) * self.harmonics
        if not highest_hz < signal.rate_hz / 2:
            raise Mismatch(
                f"the highest harmonic, {highest_hz:g} Hz, does not lie below half the rate of "
                f"{signal.rate_hz:g} Hz; use fewer harmonics"
            )
        blocks = window_blocks(self.window_s, signal.rate_hz, block)
        least = signal.n_channels + 2 * self.harmonics
        if blocks * block <= least:
            raise Mismatch(
                f"{blocks * block} samples always correlate with {signal.n_channels} channels and "
                f"{2 * self.harmonics} sines; use a window_s of more than "
                f"{least / signal.rate_hz:.3g} s"
            )
        return _Running(self, signal, block, blocks)


class _Running:
    """Keeps a window of the sums of products of channels and sines; correlates at each block."""

    def __init__(self, recipe: FilterBankCca, signal: Signal, block: int, blocks: int) -> None:
        n, n_bands, n_freqs = signal.n_channels, len(recipe.bands), len(recipe.frequencies_hz)
        self.block = 1
        self.signal = Signal(
            signal.rate_hz / block,
            tuple(
                f"{f:g} Hz, {low:g}-{high:g} Hz"
                for low, high in recipe.bands
                for f in recipe.frequencies_hz
            ),
            "1",
        )
        self._filters = [
            SosFilter(butterworth("bandpass", (low, high), recipe.order, signal.rate_hz), block, n)
            for low, high in recipe.bands
        ]
        self._sines = _Sines(recipe.frequencies_hz, recipe.harmonics, signal.rate_hz, block)
        # One row holds, for each band, x'x and x'y of all sines; and y'y of each frequency.
        h2 = 2 * recipe.harmonics
        self._xx = (n_bands, n, n)
        self._xy = (n_bands, n, n_freqs * h2)
        self._yy = (n_freqs, h2, h2)
        sizes = [math.prod(shape) for shape in (self._xx, self._xy, self._yy)]
        self._cuts = np.cumsum(sizes)[:-1]
        self._window = Window(blocks, sum(sizes))
        self._sum = np.empty(sum(sizes))
        self._values = np.empty((1, self.signal.n_channels))

    def __call__(self, chunk: Chunk) -> Chunk:
        sines, by_frequency = self._sines()
        xx, xy, yy = self._views(self._window.slot)
        for band, products, crossed in zip(self._filters, xx, xy, strict=True):
            x = band(chunk.values)
            np.matmul(x.T, x, out=products)
            np.matmul(x.T, sines, out=crossed)
        np.matmul(by_frequency.transpose(0, 2, 1), by_frequency, out=yy)
        if not self._window.total(self._sum):
            return Chunk(chunk.times[:0], self._values[:0])
        self._values[0] = self._correlations()
        return Chunk(chunk.times[-1:], self._values)

    def _views(
        self, row: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        xx, xy, yy = np.split(row, self._cuts)
        return xx.reshape(self._xx), xy.reshape(self._xy), yy.reshape(self._yy)

    def _correlations(self) -> NDArray[np.float64]:
        xx, xy, yy = self._views(self._sum)
        left, right = _whitening(xx), _whitening(yy)
        n_bands, n, _ = self._xx
        n_freqs, h2, _ = self._yy
        crossed = xy.reshape(n_bands, n, n_freqs, h2).transpose(0, 2, 1, 3)
        mixed = left[:, np.newaxis].transpose(0, 1, 3, 2) @ crossed @ right
        squares = np.linalg.eigvalsh(mixed.transpose(0, 1, 3, 2) @ mixed)[..., -1]
        return np.sqrt(np.clip(squares, 0.0, 1.0)).ravel()


class _Sines:
    """Sines and cosines of every harmonic of every frequency, on and on."""

    def __init__(
        self, frequencies_hz: Sequence[float], harmonics: int, rate_hz: float, block: int
    ) -> None:
        turns = np.outer(frequencies_hz, np.arange(1, harmonics + 1)) / rate_hz
        self._turns = turns
        self._within = np.exp(2j * np.pi * turns[..., np.newaxis] * np.arange(block))
        self._seen, self._block = 0, block
        self._each = np.empty((len(frequencies_hz), block, 2 * harmonics))
        self._all = np.empty((block, 2 * harmonics * len(frequencies_hz)))

    def __call__(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the next block: (block, all sines), and (n_frequencies, block, sines of one)."""
        # Whole turns are dropped before the angle is made, so a day later it is as exact.
        begin = np.exp(2j * np.pi * np.modf(self._turns * self._seen)[0])
        self._seen += self._block
        waves = (begin[..., np.newaxis] * self._within).transpose(0, 2, 1)
        harmonics = waves.shape[2]
        self._each[..., :harmonics] = waves.real
        self._each[..., harmonics:] = waves.imag
        self._all.reshape(self._block, len(waves), -1)[:] = self._each.transpose(1, 0, 2)
        return self._all, self._each


def _whitening(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W with W' A W = 1 for each A, (…, n, n); directions without variance are dropped."""
    values, vectors = np.linalg.eigh(products)
    least = np.maximum(values[..., -1:] * _RANK, FLOOR)
    scale = np.where(values > least, 1 / np.sqrt(np.maximum(values, least)), 0.0)
    return np.asarray(vectors * scale[..., np.newaxis, :], np.float64)
