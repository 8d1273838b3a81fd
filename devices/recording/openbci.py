"""The text files of the OpenBCI GUI (version 5 and later).

Lines with ``%`` say the rate; then a line of column names, then a line a sample: a counter, the
EXG channels in µV, and more. Samples that the radio lost show as steps of the counter, or as
stamps that are late.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused
from devices.gaps import GapDetector
from devices.recording.rows import Rows, number_in
from devices.recording.track import RecordingFile, RegularTrack
from devices.signal import Marker, Signal

__all__ = ["open_file"]

#: Rows from which the usual step of the counter is learnt (Daisy boards count by twos).
_LEARN_ROWS = 1000
_MAX_HEADER_LINES = 100


class _OpenBciTrack(RegularTrack):
    def __init__(
        self,
        rows: Rows,
        columns: list[int],
        name: str,
        signal: Signal,
        blocks: tuple[NDArray[np.int64], NDArray[np.float64]],
    ) -> None:
        super().__init__(name, name, signal, signal.unit, 1.0, rows.n_rows, *blocks)
        self._rows = rows
        self._columns = columns

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples `first` up to but without `stop`, (stop - first, n_channels)."""
        values = self._rows.read(first, stop, self._columns)
        with np.errstate(all="ignore"):  # whoever plays counts what is not finite
            return (values * self.scale).astype(np.float32)


def open_file(path: Path) -> RecordingFile:
    """Open a file of the OpenBCI GUI.

    Raises
    ------
    DeviceRefused
        It is none, or a cell is no number; says in which line.
    """
    rows = Rows(path)
    try:
        return _read(path, rows)
    except BaseException:
        rows.close()
        raise


def _read(path: Path, rows: Rows) -> RecordingFile:
    rate_hz, names = _read_header(path, rows)
    exg = [i for i, name in enumerate(names) if name.startswith("EXG Channel")]
    accel = [i for i, name in enumerate(names) if name.startswith("Accel Channel")]
    if not exg:
        raise DeviceRefused(f"{path} has no EXG channels; its columns: {', '.join(names)}")
    starts, times, events = _index(rows, rate_hz, names)
    blocks = np.array(starts, np.int64), np.array(times)
    tracks = [
        _OpenBciTrack(rows, columns, name, Signal(rate_hz, labels, unit), blocks)
        for name, columns, labels, unit in (
            ("eeg", exg, tuple(names[i] for i in exg), "uV"),
            ("accel", accel, tuple(names[i] for i in accel), "g"),
        )
        if columns
    ]
    markers = {"markers": tuple(Marker(tracks[0].time_of(k), text) for k, text in events)}
    return RecordingFile(path, tuple(tracks), tracks[0], markers, close=rows.close)


def _read_header(path: Path, rows: Rows) -> tuple[float, list[str]]:
    line = rows.header()
    if not line.startswith("%OpenBCI"):
        raise DeviceRefused(
            f"{path} is no recording of the OpenBCI GUI: it begins with {line[:40]!r}, "
            "not with '%OpenBCI'"
        )
    rate_hz = 0.0
    for _ in range(_MAX_HEADER_LINES):
        if not line.startswith("%"):
            break
        if found := re.match(r"%\s*Sample Rate\s*=\s*([\d.]+)", line):
            rate_hz = float(found[1])
        line = rows.header()
    if not rate_hz > 0:
        raise DeviceRefused(f"{path} does not say its rate ('%Sample Rate = … Hz')")
    names = [name.strip() for name in line.split(",")]
    if names[0] != "Sample Index":
        raise DeviceRefused(
            f"{path} has no line of column names (it was written before version 5 of the GUI); "
            "open it in a newer GUI and save it again"
        )
    return rate_hz, names


def _index(
    rows: Rows, rate_hz: float, names: list[str]
) -> tuple[list[int], list[float], list[tuple[int, str]]]:
    """Return first sample and time of each stretch without a loss, and the markers."""
    if "Timestamp" not in names:
        raise DeviceRefused(f"{rows.path} has no column 'Timestamp'; it has {', '.join(names)}")
    stamp_column = names.index("Timestamp")
    marker_column = names.index("Marker Channel") if "Marker Channel" in names else -1
    counter = _Losses(rate_hz)
    events: list[tuple[int, str]] = []
    marked = 0.0
    for line, text in rows.index():
        cells = text.split(",")
        if len(cells) != len(names):
            raise rows.refused(line, f"{len(cells)} cells under {len(names)} column names")
        counter.feed(number_in(rows, line, cells, 0), number_in(rows, line, cells, stamp_column))
        if marker_column >= 0:
            marker = number_in(rows, line, cells, marker_column)
            if marker and marker != marked:
                events.append((rows.n_rows, f"{marker:g}"))
            marked = marker
        rows.keep()
    if not rows.n_rows:
        raise DeviceRefused(f"{rows.path} holds no samples, only a header")
    return *counter.stretches(), events


class _Losses:
    """Finds where samples are missing, by the counter and by the stamps."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._late = GapDetector(rate_hz)
        self._n = 0
        self._first_s = self._last_s = self._last = 0.0
        self._highest = 0.0
        self._step = 1.0
        self._learnt: Counter[float] = Counter()
        self._odd: list[tuple[int, float, float]] = []  # sample, counter before, counter
        self._pauses: dict[int, float] = {}  # sample, seconds since the one before

    def feed(self, counter: float, stamp: float) -> None:
        """Take the next row."""
        stamp_s = stamp / 1000 if stamp > 1e11 else stamp  # milliseconds in older versions
        if self._n == 0:
            self._first_s = stamp_s
        else:
            if self._n < _LEARN_ROWS:
                self._learnt[counter - self._last] += 1
                self._step = self._learnt.most_common(1)[0][0]
            if counter - self._last != self._step or self._n < _LEARN_ROWS:
                self._odd.append((self._n, self._last, counter))
        if self._late.feed(np.array([stamp_s])) is not None:
            self._pauses[self._n] = stamp_s - self._last_s
        self._highest = max(self._highest, counter)
        self._last, self._last_s = counter, stamp_s
        self._n += 1

    def stretches(self) -> tuple[list[int], list[float]]:
        """Return first sample and time, in seconds, of each stretch."""
        period = self._highest + self._step
        steps: dict[int, int] = {}
        for sample, before, counter in self._odd:
            step = (counter - before) % period / self._step
            if step not in (0, 1):
                steps[sample] = max(round(step), 2)
        for sample, pause_s in self._pauses.items():
            steps[sample] = max(steps.get(sample, 2), round(pause_s * self._rate_hz))
        starts, times = [0], [self._first_s]
        for sample in sorted(steps):
            length = sample - starts[-1] - 1 + steps[sample]
            times.append(times[-1] + length / self._rate_hz)
            starts.append(sample)
        return starts, times
