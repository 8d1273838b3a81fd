"""Absolute deadlines for devices that make their own samples: recordings and simulators.

Each deadline is computed from the start, never from the previous one, so lateness does not add
up: an hour ends when an hour has passed.
"""

from __future__ import annotations

import math

from devices.clock import Clock

__all__ = ["Pacer"]


class Pacer:
    """Says when samples are due, and waits for it.

    Time starts with the first wait, so what was loaded before that is not caught up with in a
    burst.

    Parameters
    ----------
    clock
        The clock to wait on.
    speed
        How many times faster than real; ``inf`` never waits and never asks the clock.
    rate_hz
        Sampling rate of the samples that are counted.

    Raises
    ------
    ValueError
        On a speed that is not positive.
    """

    def __init__(self, clock: Clock, speed: float, rate_hz: float) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be positive (inf: as fast as it can), not {speed!r}")
        self._clock = clock
        self._speed = speed
        self._rate_hz = rate_hz
        self._start_s: float | None = None

    def due(self, n_samples: int) -> float:
        """Return when the first `n_samples` are complete, in seconds on the clock."""
        return self._due_after(n_samples / self._rate_hz)

    def wait_for(self, n_samples: int, timeout_s: float) -> bool:
        """Wait until the first `n_samples` are complete, at most `timeout_s`; say if they are."""
        return self.wait_until(n_samples / self._rate_hz, timeout_s)

    def wait_until(self, elapsed_s: float, timeout_s: float) -> bool:
        """Wait until `elapsed_s` of the stream's own time have run; False if `timeout_s` is less.

        For streams whose stamps have holes, which must take as long as they say.
        """
        if math.isinf(self._speed):
            return True
        due_s = self._due_after(elapsed_s)
        limit_s = self._clock.now() + timeout_s
        self._clock.sleep_until(min(due_s, limit_s))
        return due_s <= limit_s

    def _due_after(self, elapsed_s: float) -> float:
        if self._start_s is None:
            self._start_s = self._clock.now()
        return self._start_s + elapsed_s / self._speed
