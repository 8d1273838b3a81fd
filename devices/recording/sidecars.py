"""Markers in a file beside the recording: BIDS ``_events.tsv`` and MNE ``-eve.fif``.

BIDS: https://bids-specification.readthedocs.io, "Task events": onset in seconds from the first
sample; the label is ``trial_type``, else ``value``, else ``event_type``.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

from devices.device import DeviceNotFound, DeviceRefused

__all__ = ["find_sidecar", "read_sidecar"]

_LABEL_COLUMNS = ("trial_type", "value", "event_type")
_MNE_ENDINGS = ("-eve.fif", "_eve.fif", "-eve.fif.gz", "_eve.fif.gz")


def find_sidecar(recording: Path) -> Path | None:
    """Return the sidecar that belongs to `recording` by its name, if there is one."""
    name = recording.name
    stem = name.removesuffix("".join(recording.suffixes[-2:]) if name.endswith(".gz") else "")
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    names = [re.sub(r"_[A-Za-z]+$", "", stem) + "_events.tsv"]  # sub-01_task-x_eeg.edf
    bare = re.sub(r"[-_]raw$", "", stem)
    names += [base + ending for base in dict.fromkeys((bare, stem)) for ending in _MNE_ENDINGS]
    for candidate in names:
        path = recording.with_name(candidate)
        if path != recording and path.is_file():
            return path
    return None


def read_sidecar(path: Path, rate_hz: float, first_sample: int = 0) -> list[tuple[int, str]]:
    """Read the events of a sidecar as (sample, label), ascending.

    Parameters
    ----------
    path
        ``*.tsv`` (BIDS) or ``*.fif`` (MNE).
    rate_hz
        Rate of the recording.
    first_sample
        Number of its first sample, which MNE's events count from.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        It is not there; it cannot be read.
    """
    if not path.is_file():
        raise DeviceNotFound(f"there is no marker file {path}")
    if path.suffix.lower() == ".tsv":
        events = _read_bids(path, rate_hz)
    elif path.name.lower().endswith(_MNE_ENDINGS):
        events = _read_mne(path, first_sample)
    else:
        raise DeviceRefused(
            f"markers cannot be read from {path}; what can: *_events.tsv (BIDS), *-eve.fif (MNE)"
        )
    return sorted(events, key=lambda event: event[0])


def _read_bids(path: Path, rate_hz: float) -> list[tuple[int, str]]:
    events = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = rows.fieldnames or ()
            label_column = next((name for name in _LABEL_COLUMNS if name in columns), None)
            if "onset" not in columns or label_column is None:
                raise DeviceRefused(
                    f"{path} has the columns {', '.join(columns) or '(none)'}; "
                    f"it needs onset and one of {', '.join(_LABEL_COLUMNS)}"
                )
            for row in rows:
                if event := _bids_event(path, rows.line_num, row, label_column, rate_hz):
                    events.append(event)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DeviceRefused(f"{path} is no table of tab-separated text: {error}") from error
    return events


def _bids_event(
    path: Path, line: int, row: dict[str, str], label_column: str, rate_hz: float
) -> tuple[int, str] | None:
    onset, label = row["onset"], row[label_column]
    if onset in ("n/a", "", None) or label in ("n/a", "", None):
        return None
    try:
        onset_s = float(onset)
    except ValueError:
        onset_s = math.nan
    if not math.isfinite(onset_s):
        raise DeviceRefused(f"{path}, line {line}: the onset {onset!r} is no number of seconds")
    return round(onset_s * rate_hz), label


def _read_mne(path: Path, first_sample: int) -> list[tuple[int, str]]:
    import mne

    try:
        events = mne.read_events(path, verbose="ERROR")
    except (ValueError, RuntimeError, OSError, LookupError, TypeError) as error:
        raise DeviceRefused(f"{path} holds no MNE events: {error}") from error
    return [(int(sample) - first_sample, str(int(value))) for sample, _, value in events]
