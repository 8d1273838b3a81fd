"""Sources of simulated motor cortex: binned spike counts."""

from __future__ import annotations

import numpy as np

from devices.signal import Signal
from devices.simulation.reaches import Movement
from devices.simulation.stream import Block
from devices.simulation.tuning import CosineTuning

__all__ = ["VELOCITY", "CountSource", "velocity_signal"]

VELOCITY = ("vx", "vy")


def velocity_signal(rate_hz: float) -> Signal:
    """Return what the truth is: intended velocity, `rate_hz` bins a second."""
    return Signal(rate_hz, VELOCITY, "m/s")


class CountSource:
    """Spikes of each unit in each bin, Poisson.

    Parameters
    ----------
    signal
        What comes out, one channel a unit, one sample a bin.
    tuning
        Of the units.
    movement
        What is intended.
    rng
        Draws the spikes and nothing else.
    block
        Bins that are made together.
    is_live
        Whether the movement follows somebody outside.
    """

    def __init__(
        self,
        signal: Signal,
        tuning: CosineTuning,
        movement: Movement,
        rng: np.random.Generator,
        block: int,
        is_live: bool,
    ) -> None:
        self.signal = signal
        self.truth_signal = velocity_signal(signal.rate_hz)
        self.block = block
        self.is_live = is_live
        self._tuning = tuning
        self._movement = movement
        self._rng = rng

    def make(self, start_s: float) -> Block:
        """Make the next block."""
        moved = self._movement.next(self.block, start_s)
        expected = self._tuning.rates_hz(moved.velocity)
        expected /= self.signal.rate_hz
        counts = self._rng.poisson(expected).astype(np.float32)
        return Block(counts, moved.velocity.astype(np.float32), moved.marks)

    def close(self) -> None:
        """Let go of the movement."""
        self._movement.close()
