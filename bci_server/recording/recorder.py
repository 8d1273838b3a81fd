"""Records a session while it runs, and never holds the loop up.

The loop's thread copies samples into a ring of memory that holds seconds of them, and hands over
what else there is; it never waits. A thread of the recorder's own writes it all to the file, and
another one makes it safe against a power cut now and then. Whatever the disk does, the loop goes
on: what cannot be recorded is counted, an alarm says so, and the file stays readable.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from bci_server.recording.disk_watch import DiskWatch
from bci_server.recording.file import RecordingFile
from bci_server.recording.further_streams import FurtherStreams
from bci_server.recording.items import Content, Fed, Item, Lost, Said, Truth
from bci_server.recording.names import Record, create_file
from bci_server.recording.ring import Ring
from bci_server.recording.state import (
    Alarm,
    RecordingRefused,
    RecordingState,
    alarm_of,
    refused,
)
from bci_server.wire import CommandMessage, DataMessage, StatusMessage
from decoders.decoder import Event
from decoders.pipeline import Decoded
from devices.clock import Clock
from devices.device import DeviceError
from devices.raw_streams import open_raw_streams
from devices.recording.checked_file import CheckedFile
from devices.recording.xdf_format import DTYPES
from devices.signal import Chunk, Marker

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_RING_BYTES = (8 << 20, 4 << 30)
_MOST_WAITING = 200_000
_SLOW = 0.5
"""An alarm is raised when the ring is this full."""
_TRY_AGAIN_S = 1.0
_CLOSE_S = 20.0
_START_S = 20.0
_RESOLVE_S = 2.0


_Words = tuple[list[Marker], list[Event]]


@dataclass(frozen=True, slots=True)
class _Start:
    told: Callable[[Path | RecordingRefused], None]


@dataclass(frozen=True, slots=True)
class _Stop:
    state: str
    reason: str
    told: Callable[[Path | RecordingRefused | None], None]


class Recorder:
    """Records what passes through one loop. A sink and a tap of it.

    Parameters
    ----------
    record
        The section of the session file.
    content
        What is recorded.
    clock
        Stamps what the recorder itself has to say.
    create
        Makes the file of the next run; another one for tests of disks that fail.
    """

    def __init__(
        self,
        record: Record,
        content: Content,
        clock: Clock,
        create: Callable[[Record, str], CheckedFile] = create_file,
    ) -> None:
        self._record, self._content = record, content
        self._clock = clock
        self._create = create
        self._dtype = DTYPES[content.format]
        self._ring = Ring(_ring_bytes(record, content))
        self._waiting: deque[tuple[Item | _Start | _Stop, int]] = deque()
        self._wake = threading.Event()
        # The loop's side.
        self._is_on = False
        self._next = 0
        self._missed = 0
        self._missed_first = 0
        self._missed_words: _Words = ([], [])
        # The writer's side.
        self._recording: RecordingFile | None = None
        self._further: FurtherStreams | None = None
        self._n_lost = 0
        self._lost_first = 0
        self._lost_here = 0
        self._lost_words: _Words = ([], [])
        self._failed_s = -np.inf
        self._disk: Alarm | None = None
        self._has_failed = False
        self._has_lost = False
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        least_free = 1e6 * record.warn_free_mb
        self._watch = DiskWatch(record.sync_s, least_free, self._file, self._fail, clock)
        self._writer.start()

    # Called from the loop's thread.

    def start(self, told: Callable[[Path | RecordingRefused], None]) -> None:
        """Begin a new file with the next chunk; `told` what it is, or why not, from a thread."""
        self._is_on = True
        self._hand_over(_Start(told))
        self._wake.set()

    def stop(
        self,
        told: Callable[[Path | RecordingRefused | None], None],
        state: str = "running",
        reason: str = "stopped on request",
    ) -> None:
        """End the file; `told` which it was, or what went wrong; None if none was open."""
        self._tell_of_missed()
        self._is_on = False
        self._hand_over(_Stop(state, reason, told))
        self._wake.set()

    def take(
        self,
        chunk: Chunk,
        sender_times: NDArray[np.float64] | None,
        markers: tuple[Marker, ...],
        marks: tuple[Event, ...],
        truth: Chunk | None,
        received_s: float,
    ) -> None:
        """Take what is fed to the decoder; copies what it keeps, and returns at once."""
        first, self._next = self._next, self._next + len(chunk)
        if not self._is_on:
            return
        n, width = chunk.values.shape
        n_rows = 1 if sender_times is None else 2
        size = self._dtype.itemsize * n * width
        piece = self._ring.reserve(8 * n * n_rows + size)
        if piece is None or not self._has_room():
            self._missed_first = self._missed_first if self._missed else first
            self._missed += n
            _keep(self._missed_words, markers, marks)
            return
        self._tell_of_missed()
        times = piece[: 8 * n].view(np.float64)
        times[:] = chunk.times
        own: NDArray[np.float64] | None = None
        if sender_times is not None:
            own = piece[8 * n : 16 * n].view(np.float64)
            own[:] = sender_times
        at = 8 * n * n_rows
        values = piece[at : at + size].view(self._dtype).reshape(n, width)
        values[:] = chunk.values
        self._hand_over(Fed(first, values, times, own, chunk.gap, received_s, markers, marks))
        if truth is not None:
            self._hand_over(Truth(truth.times.copy(), truth.values.astype(np.float32)))

    def said(self, decoded: Decoded) -> None:
        """Take what came of one block; returns at once."""
        moment = decoded.moment
        if self._is_on and (decoded.outputs or moment.events) and self._has_room():
            self._hand_over(Said(moment.sample, moment.time_s, decoded.outputs, moment.events))

    def put(self, message: DataMessage) -> None:
        """Take a message; returns at once."""
        if self._is_on and isinstance(message, StatusMessage | CommandMessage) and self._has_room():
            self._hand_over(message)

    def turn(self, now_s: float) -> None:
        """Let the writer begin, now that the loop waits for samples."""
        if self._waiting:
            self._wake.set()

    def start_and_wait(self, timeout_s: float = _START_S) -> Path:
        """Begin a new file now, before the loop runs; return which.

        Raises
        ------
        RecordingRefused
            Nothing can be recorded.
        """
        told: SimpleQueue[Path | RecordingRefused] = SimpleQueue()
        self.start(told.put)
        try:
            result = told.get(timeout=timeout_s)
        except Empty:
            raise RecordingRefused(
                f"the disk did not take a new recording within {timeout_s:.0f} s",
                "see whether the disk of [record] folder answers",
            ) from None
        if isinstance(result, RecordingRefused):
            raise result
        return result

    @property
    def ring_use(self) -> float:
        """How full the memory is that waits for the disk, 0 to 1."""
        return self._ring.used / self._ring.size

    @property
    def state(self) -> RecordingState:
        """How it is doing. May be asked by any thread."""
        recording = self._recording
        return RecordingState(
            None if recording is None else recording.file.path,
            0 if recording is None else recording.n_samples,
            self._n_lost + self._missed,
            0 if recording is None else recording.file.size,
            self._alarms(),
        )

    def close(self, state: str, reason: str, timeout_s: float = _CLOSE_S) -> None:
        """Write what waits, end the file and let go; waits at most `timeout_s` for the disk."""
        ended = threading.Event()
        self.stop(lambda _: ended.set(), state, reason)
        self._closing.set()
        if not ended.wait(timeout_s):
            _log.error("the disk did not take the end of the recording in %.0f s", timeout_s)
            return
        self._wake.set()
        self._writer.join(timeout_s)
        self._watch.close(timeout_s)

    def _hand_over(self, item: Item | _Start | _Stop) -> None:
        self._waiting.append((item, self._ring.end))

    def _has_room(self) -> bool:
        # Only a disk that stands still for hours comes to this.
        self._has_lost |= len(self._waiting) >= _MOST_WAITING
        return len(self._waiting) < _MOST_WAITING

    def _tell_of_missed(self) -> None:
        if self._missed:
            why = "the disk was too slow"
            now_s = self._clock.now()
            words, self._missed_words = self._missed_words, ([], [])
            first, n = self._missed_first, self._missed
            self._hand_over(Lost(first, n, now_s, why, tuple(words[0]), tuple(words[1])))
            self._missed = 0

    def _alarms(self) -> tuple[Alarm, ...]:
        alarms: list[Alarm] = []
        if self._watch.is_nearly_full:
            alarms.append("recording_disk_nearly_full")
        if self._disk is not None:
            alarms.append(self._disk)
        if self._missed or self.ring_use > _SLOW:
            alarms.append("recording_disk_slow")
        if self._has_lost or self._missed:
            alarms.append("recording_lost_samples")
        if self._further is not None and self._further.has_lost:
            alarms.append("recording_lost_stream")
        if self._has_failed:
            alarms.append("recording_failed")
        return tuple(alarms)

    # Called from the writer's thread.

    def _file(self) -> CheckedFile | None:
        recording = self._recording
        return None if recording is None else recording.file

    def _write_all(self) -> None:
        while not (self._closing.is_set() and not self._waiting):
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                item, end = self._waiting.popleft()
                try:
                    self._do(item)
                except Exception:  # a defect of ours must not end the session with the recording
                    _log.exception("the recorder failed")
                    self._has_failed = True
                    self._recording = None
                self._ring.release(end)
            self._write_further()

    def _do(self, item: Item | _Start | _Stop) -> None:
        match item:
            case _Start():
                self._begin(item)
            case _Stop():
                self._end(item)
            case _:
                self._write(item)

    def _begin(self, asked: _Start) -> None:
        if self._recording is not None:
            asked.told(self._recording.file.path)
            return
        self._n_lost = self._lost_here = 0
        self._disk, self._has_lost, self._has_failed = None, False, False
        try:
            path = self._open()
        except (OSError, DeviceError) as e:
            self._is_on = False
            self._close_further()
            if isinstance(e, OSError):
                self._fail(e)
            asked.told(refused(e, self._record.folder))
        else:
            asked.told(path)

    def _open(self) -> Path:
        headers: tuple[bytes, ...] = ()
        if self._record.streams:
            streams = open_raw_streams(self._record.streams, _RESOLVE_S)
            self._further = FurtherStreams(streams, self._wake.set, self._clock.now)
            headers = self._further.headers
        file = self._create(self._record, self._content.name)
        self._recording = RecordingFile(file, self._content, self._clock.now(), headers)
        return file.path

    def _close_further(self) -> None:
        if self._further is not None:
            self._further.close()
            self._write_further()
            self._further = None

    def _write_further(self) -> None:
        while self._further is not None and self._further.waiting:
            self._write(self._further.waiting.popleft())

    def _end(self, asked: _Stop) -> None:
        self._close_further()
        recording, self._recording = self._recording, None
        if recording is None:
            asked.told(None)
            return
        try:
            recording.end(self._clock.now(), asked.state, asked.reason, self._lost())
        except OSError as e:
            self._fail(e)
            path = recording.file.path
            asked.told(
                RecordingRefused(
                    f"{path} has no proper end: {e.strerror}. What was written before is whole",
                    f"bci recover {path}",
                )
            )
        else:
            asked.told(recording.file.path)

    def _write(self, item: Item) -> None:
        recording = self._recording
        if recording is None:
            return
        if isinstance(item, Lost):
            self._n_lost += item.n_samples
            self._has_lost = True
        if self._disk is not None and self._clock.now() - self._failed_s < _TRY_AGAIN_S:
            self._skip(recording, item)
            return
        try:
            if (lost := self._lost()) is not None:
                self._write_to(recording, lost)
            self._write_to(recording, item)
        except OSError as e:
            self._fail(e)
            self._skip(recording, item)

    def _write_to(self, recording: RecordingFile, item: Item) -> None:
        recording.write(item)
        if self._disk is not None:
            _log.warning("the disk takes the recording again")
            self._disk = None
        if isinstance(item, Lost):
            self._lost_here, self._lost_words = 0, ([], [])

    def _lost(self) -> Lost | None:
        if not self._lost_here:
            return None
        why = "the disk did not take them"
        words, first, n = self._lost_words, self._lost_first, self._lost_here
        return Lost(first, n, self._clock.now(), why, tuple(words[0]), tuple(words[1]))

    def _skip(self, recording: RecordingFile, item: Item) -> None:
        recording.skip(item)
        if not isinstance(item, Fed | Lost):
            return
        n = len(item.times) if isinstance(item, Fed) else item.n_samples
        self._lost_first = self._lost_first if self._lost_here else item.first
        self._lost_here += n
        self._n_lost += n if isinstance(item, Fed) else 0  # else counted when it came
        self._has_lost = True
        _keep(self._lost_words, item.markers, item.marks)

    def _fail(self, error: OSError) -> None:
        alarm = alarm_of(error)
        if self._disk != alarm:
            _log.error("recording: %s", error)
        self._disk = alarm
        self._failed_s = self._clock.now()


def _keep(words: _Words, markers: tuple[Marker, ...], marks: tuple[Event, ...]) -> None:
    if len(words[0]) + len(words[1]) < _MOST_WAITING:
        words[0].extend(markers)
        words[1].extend(marks)


def _ring_bytes(record: Record, content: Content) -> int:
    signal = content.signal
    row = DTYPES[content.format].itemsize * signal.n_channels + (
        16 if content.has_sender_times else 8
    )
    least, most = _RING_BYTES
    return round(min(max(record.buffer_s * signal.rate_hz * row, least), most))
