"""A session that this server recorded, as a device: the same chunks again, exactly when they came.

What goes to the decoder is what went to it then, to the bit: samples, times, gaps, markers, what
clients said. So its outputs are the same too. `devices.adapters.recording` plays any file, cut
evenly and stamped anew; this one plays only ours, and changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC, Clock
from devices.device import DeviceRefused, EndOfStream, Health, Stream
from devices.recording.recorded import Recorded, Turn
from devices.signal import Chunk, Event, Marker

__all__ = ["Replay", "ReplayStream"]

_LONGEST_AGE_S = 10.0
"""Samples older than this when they came were stamped on another clock."""


@dataclass(frozen=True)
class Replay:
    """Replays a recorded session.

    Parameters
    ----------
    path
        The file; one that ``[record]`` wrote.
    speed
        How many times faster than real; ``inf``: as fast as it can.
    start_s
        Where to begin, in seconds from the first chunk. A decoder that begins later has not seen
        what was before, so only from 0 on it says what it said then.

    Raises
    ------
    ValueError
        On a speed that is not positive, or a start before the first chunk.
    """

    path: str
    speed: float = 1.0
    start_s: float = 0.0

    def __post_init__(self) -> None:
        _check_speed(self.speed)
        if not 0 <= self.start_s < math.inf:
            raise ValueError(f"start_s must be 0 or more, not {self.start_s!r}")

    def open(self, clock: Clock = MONOTONIC) -> ReplayStream:
        """Open the file; no sample is read yet.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            There is no such recording, or it was not made by this server.
        """
        recorded = Recorded.open(self.path)
        try:
            return ReplayStream(recorded, self.speed, self.start_s, clock)
        except BaseException:
            recorded.close()
            raise


class ReplayStream(Stream):
    """One pass over a recorded session, that can be paused and change its speed.

    Chunks come when they came, by absolute deadlines: lateness does not add up. Their times stay
    those that the decoder saw; `due_s` says when they are now.

    Attributes
    ----------
    recorded
        The recording; closed with the stream.
    first_sample
        Where it begins, in samples from the beginning of the recorded run.
    lateness_s
        How much later than due the last chunk was given out, at a finite speed.
    """

    def __init__(self, recorded: Recorded, speed: float, start_s: float, clock: Clock) -> None:
        start = recorded.turn_at(start_s) if recorded.n_turns else 0
        if start >= recorded.n_turns:
            length_s = float(np.ptp(recorded.received_s)) if recorded.n_turns else 0.0
            raise DeviceRefused(
                f"start_s = {start_s:g} lies behind the end of {recorded.path} ({length_s:g} s)"
            )
        self.signal = recorded.signal
        self.truth_signal = recorded.truth_signal
        self.identity = f"replay:{recorded.identity}"
        self.recorded = recorded
        self._turns: Iterator[Turn] = recorded.turns(start)
        self._pending: Turn | None = next(self._turns)
        self.first_sample = self._pending.first
        self.lateness_s = 0.0
        self._number = self._truth_from = start
        self._last: Turn | None = None
        self._clock, self._speed = clock, speed
        self._zero_s = float(recorded.received_s[start])
        self._anchor_s: float | None = None
        self._due_s = self._reference_s = 0.0
        self._position_s: float | None = None
        self._has_jumped = False
        self._markers: list[Marker] = []
        self._events: list[Event] = []
        self._n_samples = self._n_gaps = self._n_bad = 0

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk once it is as late as it came."""
        if self._position_s is not None:
            self._clock.sleep_until(self._clock.now() + timeout_s)
            return None
        turn = self._peek()
        if not self._wait(turn.received_s, timeout_s):
            return None
        self._pending, self._last = None, turn
        self._number += 1
        self._take(turn)
        gap = turn.gap or self._has_jumped
        self._has_jumped = False
        self._n_gaps += gap
        return Chunk(turn.times, turn.values, gap)

    def sender_times(self) -> NDArray[np.float64] | None:
        """Return the sender's own stamps of the last chunk, as they were recorded."""
        turn = self._last or self._pending  # before the first read, only whether there are any
        return None if turn is None else turn.sender_times

    def take_markers(self) -> tuple[Marker, ...]:
        """Return the markers that came with what was read since the last call."""
        markers, self._markers = tuple(self._markers), []
        return markers

    def take_events(self) -> tuple[Event, ...]:
        """Return what was said with what was read since the last call, at its samples."""
        events, self._events = tuple(self._events), []
        return events

    def take_truth(self) -> Chunk | None:
        """Return the truth that came with what was read since the last call."""
        parts = [self.recorded.truth(k) for k in range(self._truth_from, self._number)]
        self._truth_from = self._number
        there = [part for part in parts if part is not None]
        if not there:
            return None
        return Chunk(np.concatenate([t for t, _ in there]), np.concatenate([v for _, v in there]))

    def due_s(self, time_s: float) -> float:
        """Return when a time of the last chunk is in this replay, on this machine's clock."""
        return self._due_s + (time_s - self._reference_s) / self._speed

    def health(self) -> Health:
        """Return what was read so far; the rate is the one the samples are played at."""
        rate_hz = self.signal.rate_hz * self._speed
        last = self._last
        has_offset = last is not None and last.sender_times is not None
        offset_s = float(last.times[-1] - last.sender_times[-1]) if has_offset else 0.0  # type: ignore[union-attr, index]
        return Health(
            effective_rate_hz=rate_hz if math.isfinite(rate_hz) and self._n_samples else 0.0,
            clock_offset_s=offset_s,
            n_samples=self._n_samples,
            n_gaps=self._n_gaps,
            n_bad=self._n_bad,
        )

    def close(self) -> None:
        """Close the file."""
        self.recorded.close()
        self._turns = iter(())
        self._pending = None

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""
        return self._position_s is not None

    def pause(self) -> None:
        """Stand still until `resume`; harmless when repeated."""
        if self._position_s is None:
            self._position_s = self._now_in_file_s()

    def resume(self) -> None:
        """Go on, after a gap: what comes next does not follow what was before the pause."""
        if self._position_s is not None:
            self._zero_s, self._position_s = self._position_s, None
            self._anchor_s = self._clock.now()
            self._has_jumped = True

    def set_speed(self, speed: float) -> None:
        """Go on faster or slower; ``inf``: as fast as it can.

        Raises
        ------
        ValueError
            The speed is not positive.
        """
        _check_speed(speed)
        self._zero_s = self._now_in_file_s()
        self._anchor_s = self._clock.now()
        self._speed = speed

    def _now_in_file_s(self) -> float:
        if self._position_s is not None:
            return self._position_s
        if self._anchor_s is None:
            return self._zero_s
        if math.isinf(self._speed):
            return self._zero_s if self._last is None else self._last.received_s
        return self._zero_s + (self._clock.now() - self._anchor_s) * self._speed

    def _peek(self) -> Turn:
        if self._pending is None:
            self._pending = next(self._turns, None)
        if self._pending is None:
            raise EndOfStream(f"{self.recorded.path.name} is over")
        return self._pending

    def _wait(self, received_s: float, timeout_s: float) -> bool:
        now_s = self._clock.now()
        if self._anchor_s is None:
            self._anchor_s = now_s
        if math.isinf(self._speed):
            self._due_s = now_s
            return True
        due_s = self._anchor_s + (received_s - self._zero_s) / self._speed
        limit_s = now_s + timeout_s
        self._clock.sleep_until(min(due_s, limit_s))
        if due_s > limit_s:
            return False
        self._due_s = due_s
        self.lateness_s = self._clock.now() - due_s
        return True

    def _take(self, turn: Turn) -> None:
        base = self.first_sample
        age_s = turn.received_s - float(turn.times[-1])
        same_clock = 0 <= age_s < _LONGEST_AGE_S
        self._reference_s = turn.received_s if same_clock else float(turn.times[-1])
        self._markers += turn.markers
        self._events += [
            replace(e, sample=e.sample - base, heard=e.known - base) if base else e
            for e in turn.events
            if e.sample >= base
        ]
        self._n_samples += len(turn.times)
        flat = turn.values.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            square = flat.dot(flat)
        if not math.isfinite(square):  # or the values are very large: then none is found
            self._n_bad += int(turn.values.size - np.isfinite(turn.values).sum())


def _check_speed(speed: float) -> None:
    if not speed > 0:
        raise ValueError(f"speed must be positive (inf: as fast as it can), not {speed!r}")
