"""How a recording is doing, as the session's status tells it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devices.device import DeviceError

__all__ = ["Alarm", "RecordingRefused", "RecordingState", "alarm_of", "refused"]

Alarm = Literal[
    "recording_disk_nearly_full",
    "recording_disk_full",
    "recording_disk_slow",
    "recording_disk_gone",
    "recording_lost_samples",
    "recording_lost_stream",
    "recording_failed",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RecordingRefused(Exception):
    """Nothing can be recorded, or the end could not be written; the message is for the user.

    Attributes
    ----------
    fix
        What to do.
    """

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class RecordingState:
    """How a recording is doing.

    Parameters
    ----------
    path
        The file; None while nothing is recorded.
    n_samples
        Samples of the signal that are written.
    n_lost
        Samples that could not be recorded.
    n_bytes
        Size of the file.
    alarms
        What is wrong.
    """

    path: Path | None
    n_samples: int
    n_lost: int
    n_bytes: int
    alarms: tuple[Alarm, ...]


def alarm_of(error: OSError) -> Alarm:
    """Return the alarm that a failed write raises."""
    return "recording_disk_full" if error.errno in _FULL else "recording_disk_gone"


def refused(error: OSError | DeviceError, folder: str) -> RecordingRefused:
    """Return why no recording can be made, for the user."""
    if isinstance(error, DeviceError):
        return RecordingRefused(
            str(error), "start their senders, or take them out of streams in [record]"
        )
    where = error.filename or folder
    return RecordingRefused(
        f"no recording can be made in {where}: {error.strerror}",
        "free some space, or let folder in [record] name another place",
    )
