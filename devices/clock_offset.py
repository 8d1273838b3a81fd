"""How far a sender's clock is from this machine's: LSL's estimates, and how far to trust each.

LSL sends a few packets there and back each other second and reckons with the quickest. While a
machine or the network is busy even that one may have waited on its way; the truth then lies within
half of its round trip to both sides (Mills, *Network Time Synchronization*, 2006, chapter 3). So:

1. An estimate replaces the standing one if it is at least as certain as that has become, or if the
   two cannot both be right: then the clock is another one.
2. Two clocks that may be one are one: monotonic clocks count from each machine's start, and no two
   machines start within a few milliseconds.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from devices.liblsl import load_pylsl

__all__ = ["ClockOffset", "OffsetEstimate", "estimate_offset"]

_SAME_CLOCK_S = 1e-3
_DRIFT = 2e-4
"""Seconds that two clocks may part each second: twice what a bad quartz does."""


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """One of LSL's estimates.

    Parameters
    ----------
    offset_s
        What to add to the sender's stamps.
    round_trip_s
        How long the packet was on its way that it rests on.
    """

    offset_s: float
    round_trip_s: float


class ClockOffset:
    """Follows the offset of one sender's clock.

    Parameters
    ----------
    first
        The first estimate.
    now_s
        When it was made.

    Attributes
    ----------
    offset_s
        What to add to the sender's stamps; exactly 0 where both may have one clock.
    """

    def __init__(self, first: OffsetEstimate, now_s: float) -> None:
        self._accept(first, now_s)

    def take(self, estimate: OffsetEstimate, now_s: float) -> None:
        """Take in the newest estimate; the same one again changes nothing."""
        if estimate == self._standing:
            return
        error_s = self._error_s + _DRIFT * (now_s - self._since_s)
        apart_s = abs(estimate.offset_s - self._standing.offset_s)
        contradicts = apart_s > error_s + _error_of(estimate)
        if contradicts or _error_of(estimate) <= error_s:
            self._accept(estimate, now_s)

    def _accept(self, estimate: OffsetEstimate, now_s: float) -> None:
        self._standing, self._since_s = estimate, now_s
        self._error_s = _error_of(estimate)
        may_be_one = abs(estimate.offset_s) <= max(self._error_s, _SAME_CLOCK_S)
        self.offset_s = 0.0 if may_be_one else estimate.offset_s


def estimate_offset(inlet: Any, timeout_s: float) -> OffsetEstimate:
    """Return LSL's newest estimate for an inlet; the first one takes it about 0.6 s.

    Parameters
    ----------
    inlet
        A ``pylsl.StreamInlet``. pylsl itself returns the offset alone.
    timeout_s
        How long the first estimate may take.

    Raises
    ------
    pylsl.util.TimeoutError, pylsl.util.LostError
        The sender does not answer; it is gone.
    """
    util = load_pylsl().util
    estimate = sys.modules["pylsl.lib"].lib.lsl_time_correction_ex
    estimate.restype = ctypes.c_double
    remote_s, round_trip_s, code = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    offset_s = estimate(
        inlet.obj,
        ctypes.byref(remote_s),
        ctypes.byref(round_trip_s),
        ctypes.c_double(timeout_s),
        ctypes.byref(code),
    )
    util.handle_error(code)
    return OffsetEstimate(float(offset_s), max(0.0, float(round_trip_s.value)))


def _error_of(estimate: OffsetEstimate) -> float:
    return estimate.round_trip_s / 2
