from __future__ import annotations

import logging
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.device import DeviceRefused
from devices.recording.formats import open_recording
from devices.recording.track import RecordingFile
from devices.recording.xdf_writer import BOUNDARY, XdfStream, XdfWriter


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "pyxdf")


def _equals_pyxdf(path: Path) -> RecordingFile:
    """Hold every stream of a file against pyxdf: values exactly, times to 1 µs."""
    file = open_recording(path)
    tracks = {track.name: track for track in file.tracks}
    for stream in pyxdf.load_xdf(path)[0]:
        name, times = stream["info"]["name"][0], stream["time_stamps"]
        if name in tracks:
            track = tracks[name]
            assert track.n_samples == len(times)
            if len(times):
                assert np.abs(track.times(0, len(times)) - times).max() < 1e-6
                expected = np.asarray(stream["time_series"], np.float64) * track.scale
                assert np.array_equal(track.read(0, len(times)), expected.astype(np.float32))
                segments = [first for first, _ in stream["info"]["segments"][1:]]
                assert set(segments) <= set(track.breaks.tolist())
        else:
            markers = file.markers[name]
            assert len(markers) == len(times)
            ours = np.array([marker.time_s for marker in markers])
            assert np.allclose(ours, np.sort(times), rtol=0, atol=1e-6)
            texts = sorted(row[0] for row in stream["time_series"])
            assert sorted(marker.label for marker in markers) == texts
    file.close()
    return file


@pytest.mark.parametrize(
    "name", ["clock_resets.xdf", "minimal.xdf", "empty_streams.xdf", "switch_example.xdf"]
)
def test_times_and_values_are_those_of_pyxdf(shared_data: Path, name: str) -> None:
    _equals_pyxdf(shared_data / "xdf_lsl" / name)


def test_a_clock_reset_is_a_gap(shared_data: Path) -> None:
    file = open_recording(shared_data / "xdf_lsl" / "clock_resets.xdf")
    track = file.default
    assert track is not None
    assert (track.name, track.n_samples, track.breaks.tolist()) == ("BioSemi", 27815, [12876])
    before, after = track.times(12875, 12877)
    assert 270 < after - before < 280
    assert any("states 100 Hz but came at 92.9" in note for note in file.notes)
    file.close()


def test_any_cut_of_the_samples_gives_the_same(shared_data: Path) -> None:
    file = open_recording(shared_data / "xdf_lsl" / "switch_example.xdf")
    track = file.default
    assert track is not None
    values, times = track.read(0, 3000), track.times(0, 3000)
    rng = np.random.default_rng(5)
    for _ in range(20):
        first, stop = sorted(rng.choice(3000, 2, replace=False).tolist())
        assert np.array_equal(track.read(first, stop), values[first:stop])
        assert np.array_equal(track.times(first, stop), times[first:stop])
    assert track.index_at(float(times[1234])) == 1234
    file.close()


def _write(path: Path, *, jitter_s: float = 0.0, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    with XdfWriter.create(path) as xdf:
        eeg = xdf.add_stream(XdfStream("amp", "EEG", "int16", ("C3", "C4"), "uV", 250.0))
        cues = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
        for second in range(20):
            start_s = 100.0 + second + (7.3 if second >= 12 else 0.0)
            times = start_s + np.arange(250) / 250 + rng.uniform(0, jitter_s, 250)
            values = rng.integers(-1000, 1000, (250, 2)).astype(np.int16)
            xdf.write(eeg, values, times if second % 3 else float(times[0]))
            xdf.write_texts(cues, [f"cue {second}"], [start_s + 0.5])
            for stream in (eeg, cues):
                xdf.write_clock_offset(stream, start_s, -3.0 + 1e-5 * second)
            if second == 10:
                xdf.write_boundary()


@pytest.mark.parametrize("jitter_s", [0.0, 0.003])
def test_stamps_written_and_deduced_mix(tmp_path: Path, jitter_s: float) -> None:
    path = tmp_path / "a.xdf"
    _write(path, jitter_s=jitter_s)
    file = _equals_pyxdf(path)
    assert file.default is not None
    assert file.default.breaks.tolist() == [3000]
    assert file.default.signal.channels == ("C3", "C4")
    assert file.default.signal.unit == "uV"


@pytest.mark.parametrize(
    ("number_format", "dtype"),
    [("int8", "i1"), ("int16", "i2"), ("int32", "i4"), ("int64", "i8"), ("float32", "f4"),
     ("double64", "f8")],
)  # fmt: skip
def test_every_number_format(tmp_path: Path, number_format: str, dtype: str) -> None:
    path = tmp_path / "a.xdf"
    values = np.arange(-60, 60).reshape(40, 3).astype(dtype)
    with XdfWriter.create(path) as xdf:
        stream = XdfStream("x", "EEG", number_format, ("a", "b", "c"), "mV", 10.0)  # type: ignore[arg-type]
        xdf.write(xdf.add_stream(stream), values, 5.0)
    file = _equals_pyxdf(path)
    assert file.default is not None
    assert file.default.signal.unit == "uV"


def test_many_streams_that_could_be_meant_are_refused_by_name(tmp_path: Path) -> None:
    from devices.adapters.recording import Recording

    path = tmp_path / "two.xdf"
    with XdfWriter.create(path) as xdf:
        for name in ("left", "right"):
            stream = xdf.add_stream(XdfStream(name, "EEG", "float32", ("Cz",), "uV", 100.0))
            xdf.write(stream, np.zeros((10, 1), np.float32), 0.0)
    with pytest.raises(DeviceRefused, match=r"several streams .*'left', 'right'.*stream = NAME"):
        Recording(str(path)).open()
    with pytest.raises(DeviceRefused, match="2 streams 'EEG'"):
        Recording(str(path), stream="EEG").open()
    with Recording(str(path), stream="right").open() as played:
        assert played.identity == "recording:two.xdf:right"


def test_channels_of_another_unit_are_a_stream_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    with XdfWriter.create(path) as xdf:
        stream = xdf.add_stream(
            XdfStream("amp", "EEG", "float32", ("C3", "C4", "temp"), ("mV", "uV", "degC"), 10.0)
        )
        xdf.write(stream, np.array([[1, 2, 30]], np.float32), 0.0)
    file = open_recording(path)
    assert [(track.name, track.signal.unit) for track in file.tracks] == [
        ("amp", "uV"),
        ("amp [degC]", "degC"),
    ]
    assert file.tracks[0].read(0, 1).tolist() == [[1000.0, 2.0]]
    assert file.default is file.tracks[0]
    file.close()


def test_a_cut_file_is_read_up_to_the_last_whole_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    _write(path)
    data = path.read_bytes()
    for cut in (len(data) - 3, len(data) // 2, len(data) // 2 + 17):
        path.write_bytes(data[:cut])
        file = open_recording(path)
        assert file.default is not None
        assert file.default.n_samples > 2000
        assert any("cut short: the last whole chunk ends at byte" in note for note in file.notes)
        file.close()
    path.write_bytes(data[:30])
    with pytest.raises(DeviceRefused, match="holds no stream of numbers"):
        open_recording(path)


def _chunk(tag: int, content: bytes) -> bytes:
    return struct.pack("<BIH", 4, len(content) + 2, tag) + content


def _header(channels: str = "1", rate: str = "100", kind: str = "int16") -> bytes:
    text = (
        f"<info><name>x</name><type>EEG</type><channel_count>{channels}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{kind}</channel_format></info>"
    )
    return _chunk(2, struct.pack("<I", 1) + text.encode())


def _samples(content: bytes) -> bytes:
    return _chunk(3, struct.pack("<I", 1) + content)


BOMB = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><info>&b;</info>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"XDG:", "does not begin with 'XDF:'"),
        (b"XDF:\x07\x01\x02\x03", r"byte 4: a length of 7 bytes"),
        (b"XDF:\x01\x01\x00", r"byte 4: a chunk of 1 bytes"),
        (b"XDF:" + _chunk(77, b"x"), "byte 4: no chunk has the tag 77"),
        (b"XDF:" + _chunk(2, struct.pack("<I", 1) + BOMB), "declares a document type"),
        (b"XDF:" + _chunk(2, struct.pack("<I", 1) + b"<info>"), "XML is damaged"),
        (b"XDF:" + _header(channels="2000000000"), "claims 2000000000 channels"),
        (b"XDF:" + _header(channels="-3"), "claims -3 channels"),
        (b"XDF:" + _header(channels="many"), "channel_count is 'many', not a number"),
        (b"XDF:" + _header(rate="1e300"), r"claims a rate of 1e\+300 Hz"),
        (b"XDF:" + _header(rate="nan"), "nominal_srate is 'nan', not a number"),
        (b"XDF:" + _header(rate="-1"), "claims a rate of -1 Hz"),
        (b"XDF:" + _header(kind="complex"), "unknown format 'complex'"),
        (b"XDF:" + _header() + _header(), "a second header of stream 1"),
        (b"XDF:" + _samples(b"\x01\x01\x00\x00\x00"), "stream 1, which has no header before it"),
        (
            b"XDF:" + _header() + _samples(b"\x08" + b"\xff" * 8 + b"\x00\x00\x00"),
            "18446744073709551615 samples claimed in 3 bytes",
        ),
        (b"XDF:" + _header() + _samples(b"\x01\x01\x05\x00\x00"), "a stamp of 5 bytes"),
        (b"XDF:" + _header() + _samples(b"\x01\x01\x08\x00\x00"), "ends 1 early"),
        (b"XDF:" + _header() + _samples(b"\x01\x01\x00\x00\x00\x00"), "1 bytes longer"),
        (b"XDF:" + _header(kind="string") + _samples(b"\x01\x01\x00\x04\xff\xff\xff\xff"), "text"),
        (b"XDF:" + _header() + b"\x08" + b"\xf0" * 7 + b"\x0f" + BOUNDARY, "beyond the boundary"),
    ],
)  # fmt: skip
def test_what_a_stranger_sends_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DeviceRefused, match=reason):
        open_recording(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1), byte=st.integers(0, 255), cut=st.floats(0.02, 1))
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, place: float, byte: int, cut: float
) -> None:
    path = tmp_path / "a.xdf"
    if not path.exists():
        _write(path)
    data = bytearray(path.read_bytes())[: max(4, int(cut * path.stat().st_size))]
    data[min(int(place * len(data)), len(data) - 1)] = byte
    broken = tmp_path / "broken.xdf"
    broken.write_bytes(data)
    try:
        file = open_recording(broken)
    except DeviceRefused:
        return
    for track in file.tracks:
        assert track.read(0, track.n_samples).shape == (track.n_samples, track.signal.n_channels)
    file.close()


def test_garbage_of_an_outlet_that_vanished_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    pieces: list[bytes] = []
    xdf = XdfWriter(lambda piece: pieces.append(bytes(piece)))
    stream = xdf.add_stream(XdfStream("amp", "EEG", "float32", ("Cz",), "uV", 10.0))
    for second in range(6):
        xdf.write(stream, np.full((10, 1), second, np.float32), float(second))
        xdf.write_clock_offset(stream, float(second), 0.001)
    xdf.close()
    footer = pieces.pop()
    xdf.write(stream, np.full((1, 1), 99, np.float32), 6.0)
    xdf.write_clock_offset(stream, 1e6, -1e6)
    path.write_bytes(b"".join([*pieces, footer]))
    file = _equals_pyxdf(path)
    assert file.default is not None
    assert file.default.n_samples == 60
    assert any("liblsl issue 246" in note for note in file.notes)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.xdf"
    block = np.zeros((1000, 256), np.float32)
    with XdfWriter.create(path) as xdf:
        stream = xdf.add_stream(
            XdfStream("amp", "EEG", "float32", tuple(f"e{i}" for i in range(256)), "uV", 1000.0)
        )
        for second in range(150):
            block[:, 0] = second
            xdf.write(stream, block, second + np.arange(1000) / 1000)
    size = path.stat().st_size
    assert size > 150e6
    tracemalloc.start()
    file = open_recording(path)
    track = file.default
    assert track is not None
    for first in range(0, track.n_samples, 2048):
        stop = min(first + 2048, track.n_samples)
        assert track.read(first, stop)[0, 0] == first // 1000
        track.times(first, stop)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    file.close()
    assert peak < size / 8
