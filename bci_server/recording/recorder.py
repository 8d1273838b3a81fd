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
from bci_server.recording.items import Content, Item, Said, Truth
from bci_server.recording.loss import MOST_WAITING, Loss
from bci_server.recording.names import Record, create_file
from bci_server.recording.ring import Ring
from bci_server.recording.state import Alarm, RecordingRefused, RecordingState
from bci_server.recording.writer import RecordingWriter
from bci_server.wire import CommandMessage, DataMessage, StatusMessage
from decoders.decoder import Event
from decoders.pipeline import Decoded
from devices.clock import Clock
from devices.device import DeviceError
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.recording.xdf_format import DTYPES
from devices.signal import Chunk, Marker

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_RING_BYTES = (8 << 20, 4 << 30)
_SLOW = 0.5
"""An alarm is raised when the ring is this full."""
_TOO_SLOW = "the disk was too slow"
_CLOSE_S = 20.0
_START_S = 20.0


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
        self._clock = clock
        self._dtype = DTYPES[content.format]
        self._ring = Ring(_ring_bytes(record, content))
        self._waiting: deque[tuple[Item | _Start | _Stop, int]] = deque()
        self._wake = threading.Event()
        # The loop's side.
        self._is_on = False
        self._next = 0
        self._missed = Loss()
        # The writer's side.
        self._writer = RecordingWriter(record, content, clock, create, self._wake.set)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        least_free = 1e6 * record.warn_free_mb
        writer = self._writer
        self._watch = DiskWatch(record.sync_s, least_free, writer.file, writer.fail, clock)
        self._thread.start()

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
            self._missed.add(first, n, markers, marks)
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
        self._hand_over(Turn(first, values, times, own, chunk.gap, received_s, markers, marks))
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
        recording = self._writer.recording
        return RecordingState(
            None if recording is None else recording.file.path,
            0 if recording is None else recording.n_samples,
            self._writer.n_lost + self._missed.n_samples,
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
        self._thread.join(timeout_s)
        self._watch.close(timeout_s)

    def _hand_over(self, item: Item | _Start | _Stop) -> None:
        self._waiting.append((item, self._ring.end))

    def _has_room(self) -> bool:
        # Only a disk that stands still for hours comes to this.
        self._writer.has_lost |= len(self._waiting) >= MOST_WAITING
        return len(self._waiting) < MOST_WAITING

    def _tell_of_missed(self) -> None:
        if self._missed.n_samples:
            self._hand_over(self._missed.item(self._clock.now(), _TOO_SLOW))
            self._missed.clear()

    def _alarms(self) -> tuple[Alarm, ...]:
        writer = self._writer
        alarms: list[Alarm] = []
        if self._watch.is_nearly_full:
            alarms.append("recording_disk_nearly_full")
        if writer.disk is not None:
            alarms.append(writer.disk)
        if self._missed.n_samples or self.ring_use > _SLOW:
            alarms.append("recording_disk_slow")
        if writer.has_lost or self._missed.n_samples:
            alarms.append("recording_lost_samples")
        if writer.has_lost_stream:
            alarms.append("recording_lost_stream")
        if writer.has_failed:
            alarms.append("recording_failed")
        return tuple(alarms)

    # Called from the writer's thread.

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
                    self._writer.abandon()
                self._ring.release(end)
            self._writer.write_further()

    def _do(self, item: Item | _Start | _Stop) -> None:
        match item:
            case _Start(told):
                self._begin(told)
            case _Stop(state, reason, told):
                told(self._writer.end(state, reason))
            case _:
                self._writer.write(item)

    def _begin(self, told: Callable[[Path | RecordingRefused], None]) -> None:
        try:
            path = self._writer.begin()
        except (OSError, DeviceError) as e:
            self._is_on = False
            told(self._writer.refuse(e))
        else:
            told(path)


def _ring_bytes(record: Record, content: Content) -> int:
    signal = content.signal
    row = DTYPES[content.format].itemsize * signal.n_channels + (
        16 if content.has_sender_times else 8
    )
    least, most = _RING_BYTES
    return round(min(max(record.buffer_s * signal.rate_hz * row, least), most))
