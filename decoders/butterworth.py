r"""Butterworth filters as second-order sections: the design of scipy, without scipy.

To load `scipy.signal` takes two seconds of a processor, and a running session needs nothing else of
it. A low-pass of order N has its poles on a circle; moved to the edges, and by the bilinear
transform, the zeros of any band lie at 1 and -1 (Oppenheim & Schafer, "Discrete-Time Signal
Processing", 3rd ed., 2010, chapter 7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.stage import Mismatch

__all__ = ["butterworth"]

_REAL = 100 * np.finfo(np.float64).eps
_TWICE = 4.0
"""Of the bilinear transform at a rate of 2."""


def butterworth(
    kind: str, edges_hz: tuple[float, ...], order: int, rate_hz: float
) -> NDArray[np.float64]:
    """Design a Butterworth filter (`scipy.signal.butter`).

    Parameters
    ----------
    kind
        ``"bandpass"``, ``"highpass"`` or ``"lowpass"``.
    edges_hz
        One edge, or two, at -3 dB.
    order
        Of the low-pass prototype; a band-pass has twice as many poles.
    rate_hz
        Sampling rate.

    Returns
    -------
    (n_sections, 6) float64

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
    warped = _TWICE * np.tan(np.pi * (2 * np.array(edges_hz, np.float64) / rate_hz) / 2)
    circle = -np.exp(1j * np.pi * np.arange(1 - order, order, 2) / (2 * order))
    if kind == "lowpass":
        zeros, poles, gain = [-1.0] * order, warped[0] * circle, warped[0] ** order
        return _sections(zeros, *_sampled(0, poles, gain))
    if kind == "highpass":
        poles, gain = warped[0] / circle, np.real(1 / np.prod(-circle))
        return _sections([1.0] * order, *_sampled(order, poles, gain))
    width, middle = warped[1] - warped[0], np.sqrt(warped[0] * warped[1])
    half = circle * width / 2
    apart = np.sqrt(half**2 - middle**2)
    poles = np.concatenate([half + apart, half - apart])
    return _sections([1.0] * order + [-1.0] * order, *_sampled(order, poles, width**order))


def _sampled(
    n_zeros: int, poles: NDArray[np.complex128], gain: float
) -> tuple[NDArray[np.complex128], float]:
    """Return the poles and the gain after the bilinear transform; analog zeros are at 0."""
    sampled = (_TWICE + poles) / (_TWICE - poles)
    return sampled, gain * np.real(_TWICE**n_zeros / np.prod(_TWICE - poles))


def _sections(
    zeros: list[float], poles: NDArray[np.complex128], gain: float
) -> NDArray[np.float64]:
    """Pair poles with the zeros that are nearest; those nearest to the unit circle come last."""
    left = sorted(zeros)
    poles = poles[np.lexsort((np.abs(poles.imag), poles.real))]
    is_real = np.abs(poles.imag) <= _REAL * np.abs(poles)
    open_ = [*poles[~is_real & (poles.imag > 0)].tolist(), *poles[is_real].real.tolist()]
    if len(left) % 2:  # an odd order: the section that is left over is of the first
        left, open_ = [*left, 0.0], [*open_, 0.0]
    sos = np.zeros((len(left) // 2, 6))
    for section in sos[::-1]:
        one = open_.pop(_worst(open_))
        if isinstance(one, complex):
            other: complex = one.conjugate()
        else:
            real = [n for n, pole in enumerate(open_) if not isinstance(pole, complex)]
            other = open_.pop(real[_worst([open_[n] for n in real])])
        pair = [left.pop(int(np.argmin(np.abs(np.array(left) - one)))) for _ in range(2)]
        section[:3], section[3:] = np.poly(pair), np.real(np.poly([one, other]))
    sos[0, :3] *= gain
    return sos


def _worst(poles: list[complex]) -> int:
    return int(np.argmin(np.abs(1 - np.abs(poles))))
