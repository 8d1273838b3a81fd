"""The one clock: monotonic seconds, the same as LSL's, injectable.

``time.monotonic`` is what ``pylsl.local_clock`` reads, so stamps of both compare directly.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["MONOTONIC", "Clock", "ManualClock"]


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Return the time in seconds; never goes back."""

    def sleep_until(self, time_s: float) -> None:
        """Return at `time_s` or as soon after as the machine can; at once if it has passed."""


class _Monotonic:
    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, time_s: float) -> None:
        remaining_s = time_s - time.monotonic()
        if remaining_s > 0:
            time.sleep(remaining_s)


MONOTONIC: Clock = _Monotonic()


class ManualClock:
    """A clock that moves only when it is told to, or when somebody sleeps on it.

    Parameters
    ----------
    now_s
        The time it starts at, in seconds.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s

    def now(self) -> float:
        """Return the time that was set last."""
        return self._now_s

    def sleep_until(self, time_s: float) -> None:
        """Jump to `time_s`, if that lies ahead."""
        self._now_s = max(self._now_s, time_s)

    def advance(self, seconds: float) -> None:
        """Move the clock on by `seconds`."""
        self._now_s += seconds
