"""What drives simulated units: the rates at which they fire, block after block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.signal import Signal

__all__ = ["Drive", "Driven"]


@dataclass(frozen=True, slots=True)
class Driven:
    """How units fire during one block, and what is meant by it.

    Parameters
    ----------
    rates_hz
        (n, n_units) float64, a row a bin.
    truth
        (n, n_truth) float32.
    marks
        Index into the block, and label; in order.
    """

    rates_hz: NDArray[np.float64]
    truth: NDArray[np.float32]
    marks: tuple[tuple[int, str], ...] = ()


class Drive(Protocol):
    """Says how units fire, block after block.

    Attributes
    ----------
    truth_signal
        What the truth is; its rate is that of the bins.
    """

    truth_signal: Signal

    def next(self, n: int, start_s: float) -> Driven:
        """Return how they fire in the next `n` bins of a stream that started at `start_s`."""

    def close(self) -> None:
        """Let go of what it listens to."""
