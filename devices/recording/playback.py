"""A recorded track played as a stream: cut into chunks, paced, with its markers and its truth."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.clock import Clock
from devices.device import EndOfStream, Health, Stream
from devices.pacing import Pacer
from devices.recording.track import RecordingFile, Track
from devices.signal import Chunk, Marker

__all__ = ["Playback"]

#: Values that are fetched from the file at a time, at most: 2 MiB of float32.
_PIECE_VALUES = 2**19

#: At a finite speed, no more than lasts this long.
_PIECE_S = 1.0

#: Truth samples that are looked through before the file is searched.
_TRUTH_AHEAD = 64

#: Pause before a loop begins again, long enough that whoever sees only stamps sees a gap.
_LOOP_PAUSE_S = 1.0


@dataclass(slots=True)
class _Stretch:
    """Truth that is due: a range of its samples, and the shift of their lap in seconds."""

    first: int
    stop: int
    shift_s: float


class Playback(Stream):
    """One pass, or endless laps, over a track.

    Parameters
    ----------
    file
        The open recording; closed with the stream.
    track
        What `read` returns.
    truth
        What `take_truth` returns, if anything.
    markers
        Ascending in time.
    notes
        What the user should know; kept for whoever asks.
    clock, speed, loop, start_s, chunk_s
        See `devices.adapters.recording.Recording`.
    """

    def __init__(
        self,
        file: RecordingFile,
        track: Track,
        truth: Track | None,
        markers: Sequence[Marker],
        *,
        notes: tuple[str, ...],
        clock: Clock,
        speed: float,
        loop: bool,
        start_s: float,
        chunk_s: float,
    ) -> None:
        self.signal = track.signal
        self.truth_signal = truth.signal if truth else None
        self.identity = f"recording:{file.path.name}:{track.name}"
        self.notes = notes
        self._file: RecordingFile | None = file
        self._track = track
        self._truth = truth
        self._markers = markers
        self._pacer = Pacer(clock, speed, track.signal.rate_hz)
        self._speed = speed
        self._loop = loop
        self._n_chunk = max(1, round(chunk_s * track.signal.rate_hz))
        self._n_piece = max(self._n_chunk, _PIECE_VALUES // track.signal.n_channels)
        if math.isfinite(speed):  # fetched between two chunks, so it must not take long
            ahead = round(_PIECE_S * track.signal.rate_hz * max(1.0, speed))
            self._n_piece = max(self._n_chunk, min(self._n_piece, ahead))
        self._half_period_s = 0.5 / track.signal.rate_hz

        self._next = self._next_marker = self._next_truth = 0
        self._zero_s = float(track.times(0, 1)[0])
        self._start = track.index_at(self._zero_s + start_s) if start_s else 0
        self._start_time_s = self._time_of(self._start)
        self._lap_shift_s = 0.0
        self._piece_times = np.empty(0)
        self._piece_values = np.empty((0, track.signal.n_channels), np.float32)
        self._due_markers: deque[Marker] = deque()
        self._due_truth: deque[_Stretch] = deque()
        self._last_stamp_s = -math.inf
        self._n_samples = self._n_gaps = self._n_lost = self._n_bad = 0
        self._begin_lap()

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk once its last sample is due."""
        if self._file is None:
            raise EndOfStream("the recording is closed")
        if self._next >= self._track.n_samples:
            self._end_lap()
        stop = self._chunk_end()
        times, values = self._fetch(self._next, stop)
        end_s = float(times[-1]) + 2 * self._half_period_s
        if not self._pacer.wait_until(self._elapsed(end_s), timeout_s):
            return None
        gap = self._gap_before(float(times[0]))
        self._next = stop
        at_end = stop == self._track.n_samples
        self._release_markers(math.inf if at_end else float(times[-1]) + self._half_period_s)
        self._release_truth(float(times[-1]) + self._half_period_s)
        stamps = np.maximum(self._stamp(times, self._lap_shift_s), self._last_stamp_s)
        self._last_stamp_s = float(stamps[-1])
        self._n_samples += len(stamps)
        self._n_bad += int(values.size - np.count_nonzero(np.isfinite(values)))
        return Chunk(stamps, values, gap)

    def take_markers(self) -> tuple[Marker, ...]:
        """Return the markers up to the last sample that was read."""
        markers = tuple(self._due_markers)
        self._due_markers.clear()
        return markers

    def take_truth(self) -> Chunk | None:
        """Return the truth up to the last sample that was read."""
        if self._truth is None or self._file is None or not self._due_truth:
            return None
        stretches = list(self._due_truth)
        self._due_truth.clear()
        times = [self._stamp(self._truth.times(s.first, s.stop), s.shift_s) for s in stretches]
        values = [self._truth.read(s.first, s.stop) for s in stretches]
        return Chunk(np.concatenate(times), np.concatenate(values))

    def health(self) -> Health:
        """Return what was read so far; the rate is the one the samples are played at."""
        rate_hz = self.signal.rate_hz * self._speed
        return Health(
            effective_rate_hz=rate_hz if math.isfinite(rate_hz) and self._n_samples else 0.0,
            n_samples=self._n_samples,
            n_gaps=self._n_gaps,
            n_lost=self._n_lost,
            n_bad=self._n_bad,
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- one lap ---

    def _begin_lap(self) -> None:
        self._next = self._start
        self._previous_s: float | None = None
        self._piece_first = self._start
        self._piece_times = self._piece_times[:0]
        earliest_s = self._start_time_s - self._half_period_s if self._start else -math.inf
        self._next_marker = sum(marker.time_s < earliest_s for marker in self._markers)
        self._next_truth = self._truth.index_at(earliest_s) if self._truth else 0

    def _end_lap(self) -> None:
        if not self._loop or self._start >= self._track.n_samples:
            raise EndOfStream(f"{self._track.name} ends after {self._track.n_samples} samples")
        end_s = self._time_of(self._track.n_samples - 1) + 2 * self._half_period_s
        self._lap_shift_s += end_s + _LOOP_PAUSE_S - self._start_time_s
        self._begin_lap()
        self._n_gaps += 1

    def _chunk_end(self) -> int:
        """Return where the next chunk ends: it never reaches over a break."""
        stop = min(self._next + self._n_chunk, self._track.n_samples)
        breaks = self._track.breaks
        following = int(np.searchsorted(breaks, self._next, side="right"))
        return min(stop, int(breaks[following])) if following < len(breaks) else stop

    def _fetch(self, first: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        piece_stop = self._piece_first + len(self._piece_times)
        if not self._piece_first <= first <= stop <= piece_stop:
            piece_stop = min(first + self._n_piece, self._track.n_samples)
            self._piece_values = self._track.read(first, piece_stop)
            self._piece_times = self._track.times(first, piece_stop)
            self._piece_first = first
        cut = slice(first - self._piece_first, stop - self._piece_first)
        return self._piece_times[cut], self._piece_values[cut]

    def _gap_before(self, time_s: float) -> bool:
        """Say whether samples are missing before the next one, and count them."""
        if self._next == self._start:
            return self._n_samples > 0
        breaks = self._track.breaks
        position = int(np.searchsorted(breaks, self._next))
        if position == len(breaks) or breaks[position] != self._next:
            return False
        hole_s = time_s - self._time_of(self._next - 1)
        self._n_gaps += 1
        self._n_lost += max(0, round(hole_s * self.signal.rate_hz) - 1)
        return True

    def _release_markers(self, until_s: float) -> None:
        """Make the markers up to `until_s` (file time) due."""
        while (
            self._next_marker < len(self._markers)
            and self._markers[self._next_marker].time_s <= until_s
        ):
            marker = self._markers[self._next_marker]
            stamp_s = float(self._stamp(np.array([marker.time_s]), self._lap_shift_s)[0])
            self._due_markers.append(Marker(stamp_s, marker.label))
            self._next_marker += 1

    def _release_truth(self, until_s: float) -> None:
        """Make the truth up to `until_s` (file time) due."""
        if self._truth is None:
            return
        stop = self._truth_until(self._truth, until_s)
        if stop == self._next_truth:
            return
        newest = self._due_truth[-1] if self._due_truth else None
        if newest and newest.stop == self._next_truth and newest.shift_s == self._lap_shift_s:
            newest.stop = stop
        else:
            self._due_truth.append(_Stretch(self._next_truth, stop, self._lap_shift_s))
        self._next_truth = stop

    def _truth_until(self, truth: Track, until_s: float) -> int:
        """Return the first truth sample after `until_s`; it lies close ahead, but for long gaps."""
        first = self._next_truth
        ahead = truth.times(first, min(first + _TRUTH_AHEAD, truth.n_samples))
        near = int(np.searchsorted(ahead, until_s, side="right"))
        if near < len(ahead) or first + near == truth.n_samples:
            return first + near
        return truth.index_at(math.nextafter(until_s, math.inf))

    # --- time ---

    def _time_of(self, sample: int) -> float:
        return float(self._track.times(sample, sample + 1)[0])

    def _elapsed(self, time_s: float) -> float:
        return time_s - self._start_time_s + self._lap_shift_s

    def _stamp(self, times: NDArray[np.float64], shift_s: float) -> NDArray[np.float64]:
        """Bring the file's times onto the clock (or, unpaced, onto the laps' own time line)."""
        if math.isinf(self._speed):
            return times + shift_s if shift_s else times
        elapsed = times - self._start_time_s + shift_s
        return self._pacer.due(0) + elapsed / self._speed
