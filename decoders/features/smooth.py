"""Smooth: an exponential moving average, forwards in time only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from decoders.numerics.iir import FilterStep
from decoders.stage import Step
from devices.signal import Signal

__all__ = ["Smooth"]


@dataclass(frozen=True)
class Smooth:
    r"""Exponential moving average: :math:`y_t = y_{t-1} + w (x_t - y_{t-1})`.

    :math:`w = 1 - e^{-1 / (\tau f)}` with the rate f. Causal; starts at the first value. It delays
    slow changes by τ. Values become float64, the unit stays.

    Parameters
    ----------
    time_constant_s
        τ: after so long, 63 % of a step have come through.
    """

    time_constant_s: float

    def __post_init__(self) -> None:
        if not self.time_constant_s > 0:
            raise ValueError(f"time_constant_s must be positive, not {self.time_constant_s}")

    def start(self, signal: Signal, block: int) -> Step:
        """Start a run."""
        weight = -math.expm1(-1 / (self.time_constant_s * signal.rate_hz))
        sos = np.array([[weight, 0.0, 0.0, 1.0, weight - 1.0, 0.0]])
        return FilterStep(sos, signal, block)
