"""Muse headbands as text: the CSV files of muse-lsl and of Mind Monitor, also gzipped.

muse-lsl: ``timestamps,TP9,AF7,AF8,TP10,Right AUX[,Marker…]``, seconds, µV, a marker where the last
column is not 0. Mind Monitor: ``TimeStamp,…,RAW_TP9,…,AUX_RIGHT,…,Elements``, date and time, µV,
and lines of their own for events, with a path such as ``/Marker/1`` in the last column.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused
from devices.recording.rows import Rows, number_in
from devices.recording.track import RecordingFile, Track
from devices.recording.xdf_clock import EvenedOut
from devices.signal import Marker, Signal

__all__ = ["open_file"]

_ELECTRODES = ("TP9", "AF7", "AF8", "TP10")
_AUX = ("Right AUX", "AUX_RIGHT", "AUX_R", "AUX")

#: Rates of the models, and how far the measured one may be off.
_RATES_HZ = (256.0, 220.0, 500.0)
_TOLERANCE = 0.05

#: Lines of Mind Monitor that say an event, not a sample.
_EVENT = ",/"

_FEED_ROWS = 4096


class _MuseTrack(Track):
    def __init__(
        self, rows: Rows, columns: list[int], name: str, signal: Signal, even: EvenedOut, skip: str
    ) -> None:
        self.name = self.kind = name
        self.signal = signal
        self.stated_unit = signal.unit
        self.scale = 1.0
        self.n_samples = rows.n_rows
        self.breaks = np.array(even.breaks, np.int64)
        self._rows, self._columns, self._even, self._skip = rows, columns, even, skip

    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples `first` up to but without `stop`, in seconds."""
        return self._even.times(first, stop)

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples `first` up to but without `stop`, (stop - first, n_channels)."""
        values = self._rows.read(first, stop, self._columns, self._skip)
        with np.errstate(all="ignore"):  # whoever plays counts what is not finite
            return (values * self.scale).astype(np.float32)


def open_file(path: Path) -> RecordingFile:
    """Open a CSV file of a Muse.

    Raises
    ------
    DeviceRefused
        It is none, a cell is no number (says in which line), or it does not hold the raw signal.
    """
    rows = Rows(path)
    try:
        return _read(path, rows)
    except BaseException:
        rows.close()
        raise


def _read(path: Path, rows: Rows) -> RecordingFile:
    names = [name.strip() for name in rows.header().split(",")]
    if names[0] == "timestamps":
        prefix, skip = "", ""
    elif names[0] == "TimeStamp" and "Elements" in names:
        prefix, skip = "RAW_", _EVENT
    else:
        raise DeviceRefused(
            f"{path} is no recording of a Muse: its first column is {names[0][:40]!r}, "
            "not 'timestamps' (muse-lsl) or 'TimeStamp' (Mind Monitor)"
        )
    missing = [name for name in _ELECTRODES if prefix + name not in names]
    if missing:
        raise DeviceRefused(f"{path} has no column {prefix + missing[0]!r}; {', '.join(names)}")
    stamps = _Stamps(path)
    events = _index(rows, names, skip, stamps)
    even = stamps.evened_out()
    rate_hz = even.rate_hz
    eeg = [names.index(prefix + name) for name in _ELECTRODES]
    aux = [names.index(name) for name in _AUX if name in names][:1]
    tracks = [
        _MuseTrack(rows, columns, name, Signal(rate_hz, labels, "uV"), even, skip)
        for name, columns, labels in (
            ("eeg", eeg, _ELECTRODES),
            ("aux", aux, tuple(names[column] for column in aux)),
        )
        if columns
    ]
    last = rows.n_rows - 1
    markers = {
        "markers": tuple(
            Marker(float(even.times(min(k, last), min(k, last) + 1)[0]), text) for k, text in events
        )
    }
    return RecordingFile(path, tuple(tracks), tracks[0], markers, close=rows.close)


class _Stamps:
    """Takes the stamps as written, and puts them on straight lines once the rate is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[float] = []
        self._even: EvenedOut | None = None

    def feed(self, stamp_s: float) -> None:
        """Take the next stamp."""
        self._pending.append(stamp_s)
        if len(self._pending) == _FEED_ROWS:
            self._flush()

    def evened_out(self) -> EvenedOut:
        """Return the lines, once all were fed."""
        if self._pending or self._even is None:
            return self._flush()
        return self._even

    def _flush(self) -> EvenedOut:
        stamps = np.array(self._pending)
        self._pending.clear()
        if self._even is None:
            self._even = EvenedOut(_rate(self._path, stamps))
        self._even.feed(stamps)
        return self._even


def _index(rows: Rows, names: list[str], skip: str, stamps: _Stamps) -> list[tuple[int, str]]:
    """Feed the stamps, and return the markers by sample."""
    marker_column = next((i for i, name in enumerate(names) if name.startswith("Marker")), -1)
    # Mind Monitor leaves the last cell, which only events have, out of the lines of samples.
    lengths = (len(names) - 1, len(names)) if skip else (len(names),)
    events: list[tuple[int, str]] = []
    marked = 0.0
    for line, text in rows.index():
        cells = text.split(",")
        if skip and skip in text:
            events.append((rows.n_rows, cells[-1].strip()))
            continue
        if len(cells) not in lengths:
            raise rows.refused(line, f"{len(cells)} cells under {len(names)} column names")
        stamps.feed(_seconds(rows, line, cells[0]) if skip else number_in(rows, line, cells, 0))
        if marker_column >= 0:
            marker = number_in(rows, line, cells, marker_column)
            if marker and marker != marked:
                events.append((rows.n_rows, f"{marker:g}"))
            marked = marker
        rows.keep()
    return events


def _seconds(rows: Rows, line: int, cell: str) -> float:
    try:
        return datetime.fromisoformat(cell.strip()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise rows.refused(line, f"column 1 holds {cell.strip()!r}, not date and time") from None


def _rate(path: Path, stamps: NDArray[np.float64]) -> float:
    """Return the nominal rate that fits the first stamps, in Hz."""
    if len(stamps) < 2:
        raise DeviceRefused(f"{path} holds {len(stamps)} samples; that is no recording")
    whole_s = float(stamps[-1] - stamps[0])
    step_s = float(np.median(np.diff(stamps)))
    for period_s in (whole_s / (len(stamps) - 1), step_s):  # a pause spoils the first alone
        for rate_hz in _RATES_HZ:
            if abs(period_s * rate_hz - 1) <= _TOLERANCE:
                return rate_hz
    raise DeviceRefused(
        f"{path} has a row each {step_s:.3g} s; a Muse samples at 256 Hz, so this is no raw "
        "signal. In Mind Monitor, set the recording interval to 'Constant'"
    )
