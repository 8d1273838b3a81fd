from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from devices.device import DeviceRefused
from devices.recording.formats import open_recording

HEADER = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = x\n"
NAMES = "Sample Index, EXG Channel 0, EXG Channel 1, Timestamp, Marker Channel\n"


def _write(path: Path, counters: list[int], stamps: list[float], markers: dict[int, int]) -> None:
    rows = [
        f"{counter}, {k}.5, {-k}, {stamp!r}, {markers.get(k, 0)}\n"
        for k, (counter, stamp) in enumerate(zip(counters, stamps, strict=True))
    ]
    path.write_text(HEADER + NAMES + "".join(rows))


def test_a_file_of_the_gui(shared_data: Path) -> None:
    path = shared_data / "formats" / "openbci" / "OpenBCI_GUI-v6-blinks-jawClench-alpha.txt"
    with path.open(newline="") as file:
        lines = [row for row in csv.reader(file) if not row[0].startswith("%")][1:]
    expected = np.array([[float(cell) for cell in row[1:9]] for row in lines], np.float32)
    file_ = open_recording(path)
    track = file_.default
    assert track is not None
    assert (track.signal.rate_hz, track.signal.unit, track.signal.n_channels) == (250.0, "uV", 8)
    assert np.array_equal(track.read(0, track.n_samples), expected)
    assert np.array_equal(track.read(9000, 9100), expected[9000:9100])
    assert np.array_equal(track.read(100, 300), expected[100:300])
    assert len(track.breaks) == 0
    assert track.times(0, 1)[0] == 1557936053.329
    assert np.allclose(np.diff(track.times(0, 5000)), 0.004, atol=1e-6)
    file_.close()


def test_lost_samples_are_gaps_of_their_length(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    counters = [k % 256 for k in range(1200) if not (300 <= k < 305 or 511 <= k < 513)]
    stamps = [1000.0 + 0.004 * k for k in range(1200) if not (300 <= k < 305 or 511 <= k < 513)]
    _write(path, counters, stamps, {})
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert track.breaks.tolist() == [300, 506]
    assert np.allclose(track.times(0, track.n_samples), stamps, atol=1e-6)
    file.close()


def test_counters_by_twos_are_no_losses(tmp_path: Path) -> None:
    path = tmp_path / "daisy.txt"
    _write(path, [2 * k % 256 for k in range(2000)], [0.004 * k for k in range(2000)], {})
    file = open_recording(path)
    assert file.default is not None
    assert len(file.default.breaks) == 0
    file.close()


def test_a_pause_shows_in_the_stamps(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    stamps = [0.004 * k + (60.0 if k >= 100 else 0) for k in range(200)]
    _write(path, [k % 256 for k in range(200)], stamps, {})
    file = open_recording(path)
    track = file.default
    assert track is not None
    assert track.breaks.tolist() == [100]
    assert track.times(100, 101)[0] == pytest.approx(60.4)
    file.close()


def test_markers_stand_on_their_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    _write(path, list(range(200)), [0.004 * k for k in range(200)], {50: 3, 51: 3, 120: 7})
    file = open_recording(path)
    assert file.default is not None
    times = file.default.times(0, 200)
    assert [(m.time_s, m.label) for m in file.markers["markers"]] == [
        (times[50], "3"),
        (times[120], "7"),
    ]
    file.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "begins with 'a,b'"),
        ("%OpenBCI Raw\n" + NAMES, "does not say its rate"),
        (HEADER + "0, 1, 2, 3, 0\n", "no line of column names"),
        (HEADER + NAMES, "holds no samples"),
        (HEADER + NAMES + "0, 1, 2, 3, 0\n1, 1, 2\n", "line 7: 3 cells under 5"),
        (HEADER + NAMES + "0, 1, 2, soon, 0\n", "line 6: column 4 holds 'soon', not a number"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(DeviceRefused, match=reason):
        open_recording(path)


def test_a_cell_that_is_no_number_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    rows = [f"{k}, 1, 2, {0.004 * k}, 0\n" for k in range(256)]
    rows[200] = "200, 1, high, 0.8, 0\n"
    path.write_text(HEADER + NAMES + "".join(rows))
    file = open_recording(path)
    assert file.default is not None
    assert file.default.read(0, 200).shape == (200, 2)
    with pytest.raises(DeviceRefused, match="line 206: column 3 holds 'high', not a number"):
        file.default.read(150, 250)
    file.close()
    path.write_bytes(b"%OpenBCI\n\xff\xfe\n")
    with pytest.raises(DeviceRefused, match="line 2: it is no text"):
        open_recording(path)
    path.write_bytes(b"%OpenBCI" + b"x" * 2**19)
    with pytest.raises(DeviceRefused, match="line 1: it is longer than 262144 bytes"):
        open_recording(path)
