r"""Recursive filters in block form: a block of n samples is one matrix product.

A cascade of second-order sections is a linear system with the state s, two numbers a section
(transposed direct form II, as in `scipy.signal.sosfilt`). n steps of it are linear as well:

.. math:: \begin{bmatrix} y \\ s' \end{bmatrix} = M \begin{bmatrix} x \\ s \end{bmatrix}

with x and y (n, n_channels), s (2 · n_sections, n_channels), and M fixed at the start. So all
channels and samples are filtered by one call (Burrus, "Block realization of digital filters",
IEEE Trans. Audio Electroacoust. 20, 1972). M costs n², so long blocks are cut into equal parts.

The result depends on the length of the blocks in the last bits of float64 only, and not at all on
how samples arrive, since blocks are counted from the first sample. It is the same to the bit with
one BLAS thread, which is what live and offline runs are pinned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["FilterStep", "SosFilter", "butterworth"]

_LONGEST = 48
"""Samples of one product: above, the n² of M costs more than another call saves."""


class SosFilter:
    """One run of a cascade of second-order sections over blocks of `n` samples.

    It starts in the steady state that a constant input of the first sample's value would have
    brought about (``sosfilt_zi(sos) * x[0]``), so that an electrode's offset makes no transient.

    Parameters
    ----------
    sos
        (n_sections, 6) float64, sections as scipy designs them.
    n
        Samples a block.
    n_channels
        Columns.
    """

    def __init__(self, sos: NDArray[np.float64], n: int, n_channels: int) -> None:
        form = _block_form(np.ascontiguousarray(sos, np.float64).tobytes(), n)
        self._steady = form.steady
        self._length = form.length
        self._n = n
        self._part = _Part(form.matrix, self._length, n_channels)
        rest = n % self._length
        self._rest = None if form.rest is None else _Part(form.rest, rest, n_channels)
        self._out = np.empty((n, n_channels)) if n > self._length else None
        self._begun = False

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Filter one block, (n, n_channels). The result holds until the next call."""
        if not self._begun:
            self._begun = True
            np.multiply(self._steady, x[0], out=self._part.state)
        if self._out is None:
            return self._part(x)
        return self._in_parts(x, self._out)

    def _in_parts(self, x: NDArray[np.floating], out: NDArray[np.float64]) -> NDArray[np.float64]:
        length, whole = self._length, self._length * (self._n // self._length)
        for begin in range(0, whole, length):
            out[begin : begin + length] = self._part(x[begin : begin + length])
        if self._rest is not None:
            self._rest.state[:] = self._part.state
            out[whole:] = self._rest(x[whole:])
            self._part.state[:] = self._rest.state
        return out


@dataclass(frozen=True, slots=True)
class _BlockForm:
    """What a filter is over blocks of a length; every run of it reads the same.

    Attributes
    ----------
    length
        Samples a product.
    matrix, rest
        M for so many, and for what is left of a block; None: nothing.
    steady
        (2 · n_sections, 1) state that a constant input of 1 leads to.
    """

    length: int
    matrix: NDArray[np.float64]
    rest: NDArray[np.float64] | None
    steady: NDArray[np.float64]


@lru_cache(maxsize=256)
def _block_form(sos: bytes, n: int) -> _BlockForm:
    """Return the form over blocks of `n` samples; after every gap it is asked for again."""
    from scipy.signal import sosfilt_zi

    sections = np.frombuffer(sos).reshape(-1, 6).copy()
    basis = _state_basis(sections)
    steady = sosfilt_zi(sections).reshape(-1, 1).astype(np.longdouble)
    length = -(-n // -(-n // _LONGEST))
    rest = n % length
    matrix = _block_matrix(sections, length, basis)
    matrix_of_rest = _block_matrix(sections, rest, basis) if rest else None
    steady = _solved(basis, steady).astype(np.float64)
    for shared in (matrix, matrix_of_rest, steady):
        if shared is not None:
            shared.setflags(write=False)
    return _BlockForm(length, matrix, matrix_of_rest, steady)


class _Part:
    """Blocks of one length. `now` holds [x; s] and `then` takes [y; s']; then they swap."""

    def __init__(self, matrix: NDArray[np.float64], n: int, n_channels: int) -> None:
        self._n = n
        self._matrix = matrix
        self._now = np.zeros((len(matrix), n_channels))
        self._then = np.zeros_like(self._now)

    @property
    def state(self) -> NDArray[np.float64]:
        """(2 · n_sections, n_channels); what the next block starts from."""
        return self._now[self._n :]

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        now, then, n = self._now, self._then, self._n
        now[:n] = x
        np.matmul(self._matrix, now, out=then)
        self._now, self._then = then, now
        return then[:n]


def _block_matrix(sos: NDArray[np.float64], n: int, basis: NDArray[Any]) -> NDArray[np.float64]:
    """Return M: the answers of scipy's own filter to each unit input and each unit state."""
    from scipy.signal import sosfilt

    order = 2 * len(sos)
    width = n + order
    x = np.zeros((width, n), np.longdouble)
    x[:n] = np.eye(n)
    state = np.zeros((len(sos), width, 2), np.longdouble)
    for i in range(order):
        state[i // 2, n:, i % 2] = basis[i]
    y, state = sosfilt(sos.astype(np.longdouble), x, axis=-1, zi=state)
    matrix = np.empty((width, width))
    matrix[:n] = y.T
    matrix[n:] = _solved(basis, state.transpose(0, 2, 1).reshape(order, width))
    return matrix


def _state_basis(sos: NDArray[np.float64]) -> NDArray[Any]:
    """Return the states, as columns, in which each section turns and shrinks, and does no more.

    In the direct form a slow filter's two states are huge and nearly cancel: 0.1 Hz at 30 kHz
    loses eight digits. In the normal form (Barnes & Fam, "Minimum norm recursive digital filters
    that are free of overflow limit cycles", IEEE Trans. Circuits Syst. 24, 1977) it loses none.
    """
    basis = np.eye(2 * len(sos), dtype=np.longdouble)
    for k, section in enumerate(sos.astype(np.longdouble)):
        a1, a2 = section[4:]
        middle, spread = -a1 / 2, a1 * a1 / 4 - a2
        root = np.sqrt(np.abs(spread))
        if a2 == 0 or root == 0:
            continue
        pair = (middle + root, middle - root) if spread > 0 else (middle, root)
        at = slice(2 * k, 2 * k + 2)
        basis[at, at] = [pair, (-a2, -a2 if spread > 0 else 0)]
    return basis


def _solved(basis: NDArray[Any], states: NDArray[Any]) -> NDArray[Any]:
    """Return states given in the direct form as coordinates in the basis: 2 × 2 blocks."""
    out = np.empty_like(states)
    for i in range(0, len(basis), 2):
        (a, b), (c, d) = basis[i : i + 2, i : i + 2]
        s, t = states[i : i + 2]
        out[i] = (d * s - b * t) / (a * d - b * c)
        out[i + 1] = (a * t - c * s) / (a * d - b * c)
    return out


class FilterStep:
    """The running state of every stage that is one filter: same channels, rate and block."""

    def __init__(self, sos: NDArray[np.float64], signal: Signal, block: int) -> None:
        self.signal = signal
        self.block = block
        self._filter = SosFilter(sos, block, signal.n_channels)

    def __call__(self, chunk: Chunk) -> Chunk:
        """Filter one block."""
        return Chunk(chunk.times, self._filter(chunk.values))


def butterworth(
    kind: str, edges_hz: tuple[float, ...], order: int, rate_hz: float
) -> NDArray[np.float64]:
    """Design a Butterworth filter (`scipy.signal.butter`).

    Parameters
    ----------
    kind
        ``"bandpass"``, ``"bandstop"``, ``"highpass"`` or ``"lowpass"``.
    edges_hz
        One edge, or two, at -3 dB.
    order
        Of the low-pass prototype; a band-pass has twice as many poles.
    rate_hz
        Sampling rate.

    Raises
    ------
    Mismatch
        The edges do not fit below half the sampling rate.
    """
    if edges_hz[-1] >= rate_hz / 2:
        raise Mismatch(
            f"a {kind} up to {edges_hz[-1]:g} Hz needs more than {2 * edges_hz[-1]:g} samples a "
            f"second; the signal has {rate_hz:g} Hz"
        )
    return _designed(kind, edges_hz, order, rate_hz).copy()


@lru_cache(maxsize=256)
def _designed(
    kind: str, edges_hz: tuple[float, ...], order: int, rate_hz: float
) -> NDArray[np.float64]:
    from scipy.signal import butter

    edges = edges_hz if len(edges_hz) > 1 else edges_hz[0]
    sos: Any = butter(order, edges, kind, fs=rate_hz, output="sos")
    return np.ascontiguousarray(sos, dtype=np.float64)
