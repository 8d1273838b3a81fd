"""The ``[record]`` section of a session file, and the names that recordings get.

Names are made of BIDS entities: ``sub-P01/ses-01/eeg/sub-P01_ses-01_task-imagery_run-001_eeg.xdf``.
A participant is a code, never a name. The run's number goes up; nothing is ever overwritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devices.recording.checked_file import CheckedFile

__all__ = ["Record", "create_file"]

_LABEL = re.compile(r"[0-9A-Za-z]{1,32}")
_RUN = re.compile(r"_run-(\d+)_")

Modality = Literal["eeg", "ieeg", "meg", "emg", "nirs", "beh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The ``[record]`` section: what is recorded, and where to.

    Parameters
    ----------
    participant
        The participant's code, of letters and digits. Nothing personal.
    session
        Which session it is, of letters and digits; empty: it is not said.
    task
        What is done; letters and digits. Empty: the name of the session file's session.
    modality
        What is measured, as BIDS calls it.
    folder
        Where recordings go; relative to the session file.
    enabled
        Record from the start. False: only when somebody asks for it.
    streams
        Further LSL streams to record, by name. If one is missing, nothing is recorded.
    consent
        Which consent covers it: an id, nothing personal.
    buffer_s
        How long the disk may stall before samples are lost to the recording.
    sync_s
        How often everything is made safe against a power cut.
    warn_free_mb
        An alarm is raised when less than this is left on the disk (or a minute at this rate).

    Raises
    ------
    ValueError
        A label has other characters than letters and digits, or a number is not positive.
    """

    participant: str
    session: str = ""
    task: str = ""
    modality: Modality = "eeg"
    folder: str = "recordings"
    enabled: bool = True
    streams: tuple[str, ...] = ()
    consent: str = ""
    buffer_s: float = 5.0
    sync_s: float = 1.0
    warn_free_mb: float = 1000.0

    def __post_init__(self) -> None:
        for what in ("participant", "session", "task"):
            label = getattr(self, what)
            if (label or what == "participant") and not _LABEL.fullmatch(label):
                raise ValueError(
                    f"{what} = {label!r} names files: use letters and digits only, at most 32"
                    + (" (a code, nothing personal)" if what == "participant" else "")
                )
        if len(self.consent) > 64 or not self.consent.isprintable():
            raise ValueError(f"consent = {self.consent!r} is no id; use at most 64 letters")
        for what in ("buffer_s", "sync_s"):
            if not 0 < getattr(self, what) <= 3600:
                raise ValueError(f"{what} must be positive, not {getattr(self, what)!r}")
        if not self.warn_free_mb >= 0:
            raise ValueError(f"warn_free_mb must be 0 or positive, not {self.warn_free_mb!r}")


def create_file(record: Record, task: str) -> CheckedFile:
    """Create the file of the next run.

    Parameters
    ----------
    record
        The section.
    task
        Stands in for ``record.task`` where that is empty; what BIDS does not allow is left out.

    Raises
    ------
    OSError
        The folder cannot be made or written to.
    """
    task = record.task or re.sub("[^0-9A-Za-z]", "", task)[:32]
    entities = [f"sub-{record.participant}"]
    entities += [f"ses-{record.session}"] if record.session else []
    folder = Path(record.folder, *entities, record.modality)
    folder.mkdir(parents=True, exist_ok=True)
    stem = "_".join([*entities, f"task-{task}"])
    run = 1 + max((_run_of(path.name) for path in folder.glob(f"{stem}_run-*")), default=0)
    while True:
        try:
            return CheckedFile(folder / f"{stem}_run-{run:03d}_{record.modality}.xdf")
        except FileExistsError:  # somebody else was quicker
            run += 1


def _run_of(name: str) -> int:
    found = _RUN.search(name)
    return int(found[1]) if found else 0
