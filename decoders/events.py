"""Markers bound to samples, so that a late one changes nothing but when it is known."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from decoders.blocks import Block
from decoders.decoder import Event
from decoders.feedback import event_of
from devices.signal import Marker

__all__ = ["Binding"]

_MEMORY_S = 30.0
"""How far back a late marker is still bound by the stamps of its own block."""

_SPEED_TOLERANCE = 0.1
"""Stamps that differ less than this from the rate are of real speed: jitter, or a few lost."""


class Binding:
    """Binds the markers of one stream to the samples of the same stream.

    A marker belongs to the sample nearest to its time, reckoned from the block that holds that
    time. It is given out with the first block that reaches it, or, if it arrived later than that,
    with the next block; its sample index is the same either way.

    A replay that runs at another speed stamps its samples as they come, so closer together or
    further apart than the rate says; that speed is taken from the stamps.

    Parameters
    ----------
    rate_hz
        Nominal sampling rate of the stream.
    hop
        Samples a block.
    """

    def __init__(self, rate_hz: float, hop: int) -> None:
        self._nominal_s = self._period_s = 1.0 / rate_hz
        self._half_s = 0.0  # until two samples have shown the speed
        self._origin: tuple[float, int] | None = None
        self._waiting: list[Marker] = []
        self._bound: list[Event] = []
        self._first = 0
        self._ends: deque[tuple[float, int]] = deque(
            maxlen=max(2, round(_MEMORY_S * rate_hz / hop))
        )

    def add(self, markers: Iterable[Marker]) -> None:
        """Take markers in, in any order, early or late."""
        self._waiting.extend(markers)

    def add_bound(self, events: Iterable[Event]) -> None:
        """Take in events that somebody has bound to a sample already."""
        self._bound.extend(events)

    def reached(self, block: Block) -> tuple[Event, ...]:
        """Return the events that this block makes known, in the order of their samples."""
        last_s = float(block.chunk.times[-1])
        if block.chunk.gap:
            self._ends.clear()
            self._origin = None
            self._first = block.sample + 1 - len(block.chunk)
        self._ends.append((last_s, block.sample))
        self._measure(block)
        if not self._waiting and not self._bound:
            return ()
        horizon_s = last_s + self._half_s
        ready = [m for m in self._waiting if m.time_s < horizon_s]
        self._waiting = [m for m in self._waiting if m.time_s >= horizon_s]
        events = [event_of(self._sample(m.time_s), m.label) for m in ready]
        # What is said now came after the newest sample: so the first block that ends later is the
        # first that can know it, however the samples are cut.
        events += [e for e in self._bound if e.known < block.sample]
        self._bound = [e for e in self._bound if e.known >= block.sample]
        return tuple(sorted(events, key=lambda e: e.sample))

    def _sample(self, time_s: float) -> int:
        at = bisect_left(self._ends, (time_s - self._half_s, -1))
        end_s, end = self._ends[min(at, len(self._ends) - 1)]
        before = round((end_s - time_s) / self._period_s)
        return max(self._first, min(self._ends[-1][1], end - before))

    def _measure(self, block: Block) -> None:
        """Measure how far apart samples are stamped; near the rate, the rate is the better word."""
        times = block.chunk.times
        if self._origin is None:
            self._origin = (float(times[0]), block.sample + 1 - len(times))
        start_s, start = self._origin
        n_steps, span_s = block.sample - start, float(times[-1]) - start_s
        if n_steps > 0 and span_s > 0:
            measured_s = span_s / n_steps
            is_nominal = abs(measured_s / self._nominal_s - 1) < _SPEED_TOLERANCE
            self._period_s = self._nominal_s if is_nominal else measured_s
            self._half_s = 0.5 * self._period_s
