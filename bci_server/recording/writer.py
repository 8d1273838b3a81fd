"""The recorder's way to the disk: files that are begun, written and ended, whatever the disk does.

What the disk does not take is counted, told in the file as soon as it takes something again, and
an alarm meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bci_server.recording.file import RecordingFile
from bci_server.recording.further_streams import FurtherStreams
from bci_server.recording.items import Content, Item, Lost
from bci_server.recording.loss import Loss
from bci_server.recording.names import Record
from bci_server.recording.state import Alarm, RecordingRefused, alarm_of, refused
from devices.clock import Clock
from devices.device import DeviceError
from devices.raw_streams import open_raw_streams
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn

__all__ = ["RecordingWriter"]

_log = logging.getLogger(__name__)

_TRY_AGAIN_S = 1.0
_RESOLVE_S = 2.0
_REFUSED = "the disk did not take them"


class RecordingWriter:
    """Writes one recording after the other; called by one thread, except where it is said.

    Parameters
    ----------
    record, content, clock, create
        As for `bci_server.recording.recorder.Recorder`.
    wake
        Called from any thread when a further stream brought something; returns at once.

    Attributes
    ----------
    recording
        The one that is written; None while there is none.
    n_lost
        Samples that it lacks.
    disk
        What is wrong with the disk; None: nothing.
    has_lost
        Something could not be recorded. Also set by the loop, which has the memory before this.
    has_failed
        A defect of ours ended the recording.
    """

    def __init__(
        self,
        record: Record,
        content: Content,
        clock: Clock,
        create: Callable[[Record, str], CheckedFile],
        wake: Callable[[], None],
    ) -> None:
        self.recording: RecordingFile | None = None
        self.n_lost = 0
        self.disk: Alarm | None = None
        self.has_lost = False
        self.has_failed = False
        self._record, self._content = record, content
        self._clock = clock
        self._create = create
        self._wake = wake
        self._further: FurtherStreams | None = None
        self._loss = Loss()
        self._failed_s = -np.inf

    @property
    def has_lost_stream(self) -> bool:
        """A further stream is not recorded any longer. May be asked by any thread."""
        return self._further is not None and self._further.has_lost

    def file(self) -> CheckedFile | None:
        """Return the file that is written; None while there is none. For any thread."""
        recording = self.recording
        return None if recording is None else recording.file

    def begin(self) -> Path:
        """Begin a new recording, if there is none; return which it is.

        Raises
        ------
        OSError, DeviceError
            None can be made: see `refuse`.
        """
        if self.recording is not None:
            return self.recording.file.path
        self.n_lost = 0
        self._loss.clear()
        self.disk, self.has_lost, self.has_failed = None, False, False
        headers: tuple[bytes, ...] = ()
        if self._record.streams:
            streams = open_raw_streams(self._record.streams, _RESOLVE_S)
            self._further = FurtherStreams(streams, self._wake, self._clock.now)
            headers = self._further.headers
        file = self._create(self._record, self._content.name)
        self.recording = RecordingFile(file, self._content, self._clock.now(), headers)
        return file.path

    def refuse(self, error: OSError | DeviceError) -> RecordingRefused:
        """Let go of what was begun, and return why it came to nothing."""
        self._close_further()
        if isinstance(error, OSError):
            self.fail(error)
        return refused(error, self._record.folder)

    def end(self, state: str, reason: str) -> Path | RecordingRefused | None:
        """End the recording; return which it was, or what went wrong; None if there was none."""
        self._close_further()
        recording, self.recording = self.recording, None
        if recording is None:
            return None
        path = recording.file.path
        try:
            recording.end(self._clock.now(), state, reason, self._lost())
        except OSError as e:
            self.fail(e)
            return RecordingRefused(
                f"{path} has no proper end: {e.strerror}. What was written before is whole",
                f"bci recover {path}",
            )
        return path

    def abandon(self) -> None:
        """Write no more of this recording: a defect of ours must not end the session with it."""
        self.has_failed = True
        self.recording = None

    def fail(self, error: OSError) -> None:
        """Note that the disk did not take something. For any thread."""
        alarm = alarm_of(error)
        if self.disk != alarm:
            _log.error("recording: %s", error)
        self.disk = alarm
        self._failed_s = self._clock.now()

    def write(self, item: Item) -> None:
        """Write one item, or count it among what is lost."""
        recording = self.recording
        if recording is None:
            return
        if isinstance(item, Lost):
            self.n_lost += item.n_samples
            self.has_lost = True
        if self.disk is not None and self._clock.now() - self._failed_s < _TRY_AGAIN_S:
            self._skip(recording, item)
            return
        try:
            if (lost := self._lost()) is not None:
                self._write_to(recording, lost)
            self._write_to(recording, item)
        except OSError as e:
            self.fail(e)
            self._skip(recording, item)

    def write_further(self) -> None:
        """Write what came on the further streams."""
        while self._further is not None and self._further.waiting:
            self.write(self._further.waiting.popleft())

    def _close_further(self) -> None:
        if self._further is not None:
            self._further.close()
            self.write_further()
            self._further = None

    def _write_to(self, recording: RecordingFile, item: Item) -> None:
        recording.write(item)
        if self.disk is not None:
            _log.warning("the disk takes the recording again")
            self.disk = None
        if isinstance(item, Lost):
            self._loss.clear()

    def _lost(self) -> Lost | None:
        return self._loss.item(self._clock.now(), _REFUSED) if self._loss.n_samples else None

    def _skip(self, recording: RecordingFile, item: Item) -> None:
        recording.skip(item)
        if not isinstance(item, Turn | Lost):
            return
        n = len(item.times) if isinstance(item, Turn) else item.n_samples
        self._loss.add(item.first, n, item.markers, item.events)
        self.n_lost += n if isinstance(item, Turn) else 0  # else counted when it came
        self.has_lost = True
