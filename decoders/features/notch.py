"""Notch: takes a mains frequency and its harmonics out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.numerics.iir import FilterStep
from decoders.stage import Mismatch, Step
from devices.signal import Signal

__all__ = ["Notch"]


@dataclass(frozen=True)
class Notch:
    """Take one frequency and its harmonics out. Values become float64, the unit stays.

    Second-order notches in a row (`scipy.signal.iirnotch`), causal.

    Parameters
    ----------
    mains_hz
        The frequency: 50 in most of the world, 60 in the Americas.
    harmonics
        How many multiples to take out, itself counted; those at or above half the sampling rate
        are left out.
    quality
        Frequency over the width at -3 dB.
    """

    mains_hz: float = 50.0
    harmonics: int = 1
    quality: float = 30.0

    def __post_init__(self) -> None:
        if not self.mains_hz > 0 or not self.quality > 0 or self.harmonics < 1:
            raise ValueError(
                "notch needs mains_hz > 0, quality > 0 and harmonics >= 1; it has mains_hz = "
                f"{self.mains_hz}, quality = {self.quality}, harmonics = {self.harmonics}"
            )

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        return FilterStep(self._design(signal.rate_hz), signal, block)

    def _design(self, rate_hz: float) -> NDArray[np.float64]:
        from scipy.signal import iirnotch

        multiples = [self.mains_hz * k for k in range(1, self.harmonics + 1)]
        below = [hz for hz in multiples if hz < rate_hz / 2]
        if not below:
            raise Mismatch(
                f"a notch at {self.mains_hz:g} Hz needs more than {2 * self.mains_hz:g} samples a "
                f"second; the signal has {rate_hz:g} Hz"
            )
        # Harmonics keep the quality, so are wider: the mains' wander grows with its multiples.
        designs: list[Any] = [iirnotch(hz, self.quality, fs=rate_hz) for hz in below]
        return np.array([np.concatenate(design) for design in designs], np.float64)
