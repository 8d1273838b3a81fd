from __future__ import annotations

import csv
import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from devices.device import DeviceRefused
from devices.recording.formats import open_recording

RUNS = (
    "P300/subject1/session1/data_2017-02-04-15_45_13.csv.gz",
    "SSVEP/subject1/session1/data_2017-09-14-21.20.04.csv.gz",
    "N170/subject1/session1/data_2017-09-13-15.30.01.csv.gz",
)
NAMES = "timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0\n"


@pytest.mark.parametrize("run", RUNS)
def test_a_file_of_muse_lsl(shared_data: Path, run: str) -> None:
    path = shared_data / "muse_eegnb" / run
    with gzip.open(path, "rt") as text:
        cells = np.array([[float(cell) for cell in row] for row in list(csv.reader(text))[1:]])
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert (track.signal.rate_hz, track.signal.unit) == (256.0, "uV")
    assert track.signal.channels == ("TP9", "AF7", "AF8", "TP10")
    expected = cells[:, 1:5].astype(np.float32)
    assert np.array_equal(track.read(0, track.n_samples), expected)
    assert np.array_equal(track.read(1000, 1100), expected[1000:1100])
    assert len(track.breaks) == 0
    times = track.times(0, track.n_samples)
    assert (np.diff(times) > 0).all()
    assert np.abs(times - cells[:, 0]).max() < 0.1
    marked = np.flatnonzero(cells[:, 6])
    markers = file.markers["markers"]
    assert [marker.label for marker in markers] == [f"{value:g}" for value in cells[marked, 6]]
    assert [marker.time_s for marker in markers] == times[marked].tolist()
    file.close()


def _mind_monitor(path: Path) -> None:
    names = "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,AUX_RIGHT,Battery,Elements"
    lines = [names]
    for k in range(600):
        seconds = k / 256
        stamp = f"2023-05-01 12:00:{seconds:06.3f}"
        delta = "0.5" if k % 25 == 0 else ""
        lines.append(f"{stamp},{delta},{800 + k},801,802,803,804,90.0,")
        if k == 299:
            lines.append(f"{stamp},,,,,,,,/Marker/1")
    path.write_text("\n".join(lines) + "\n")


def test_a_file_of_mind_monitor(tmp_path: Path) -> None:
    path = tmp_path / "muse.csv"
    _mind_monitor(path)
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert (track.signal.rate_hz, track.n_samples) == (256.0, 600)
    values = track.read(0, 600)
    assert values[:, 0].tolist() == [800.0 + k for k in range(600)]
    assert track.read(290, 310)[:, 0].tolist() == [800.0 + k for k in range(290, 310)]
    (marker,) = file.markers["markers"]
    assert marker.label == "/Marker/1"
    assert marker.time_s == track.times(300, 301)[0]
    file.close()


def test_rows_a_second_apart_are_no_signal(shared_data: Path) -> None:
    with pytest.raises(DeviceRefused, match=r"a row each 1\.02 s.*set the recording interval"):
        open_recording(shared_data / "formats" / "muse" / "testmusemonitor.csv")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time,a\n0,1\n", "its first column is 'time'"),
        ("timestamps,TP9\n0,1\n", "no column 'AF7'"),
        (NAMES, "holds 0 samples"),
        (NAMES + "0,1,2,3,4,5,0\nx,1,2,3,4,5,0\n", "line 3: column 1 holds 'x', not a number"),
        (NAMES + "0,1,2,3,4,5,0\n0.004,1,2,3\n", "line 3: 4 cells under 7"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DeviceRefused, match=reason):
        open_recording(path)


def test_a_cut_gzip_is_refused(tmp_path: Path, shared_data: Path) -> None:
    whole = (shared_data / "muse_eegnb" / RUNS[0]).read_bytes()
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DeviceRefused, match="cut short or damaged after line"):
        open_recording(path)
    path.write_bytes(b"no gzip at all")
    with pytest.raises(DeviceRefused, match="cut short or damaged"):
        open_recording(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write(NAMES)
        file.writelines(f"{k / 256},1.0,2.0,3.0,4.0,5.0,0\n" for k in range(60_000))
    size = path.stat().st_size
    tracemalloc.start()
    recording = open_recording(path)
    assert recording.default is not None
    for first in range(0, 60_000, 5000):
        recording.default.read(first, first + 500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    recording.close()
    assert peak < size / 2
