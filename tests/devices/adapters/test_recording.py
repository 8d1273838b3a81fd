from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from devices.adapters.recording import Recording
from devices.clock import ManualClock
from devices.device import DeviceNotFound, DeviceRefused, EndOfStream, Stream
from devices.recording.formats import open_recording
from devices.signal import Chunk, Marker


@pytest.fixture
def run6(shared_data: Path) -> str:
    return str(shared_data / "eegmmi_s001" / "S001R06.edf")


def _play(stream: Stream) -> tuple[list[Chunk], list[Marker]]:
    """Read to the end; chunks are copied, as they hold only until the next read."""
    chunks: list[Chunk] = []
    markers: list[Marker] = []
    while True:
        try:
            chunk = stream.read(0.0)
        except EndOfStream:
            return chunks, markers
        assert chunk is not None
        chunks.append(Chunk(chunk.times.copy(), chunk.values.copy(), chunk.gap))
        markers += stream.take_markers()


@pytest.mark.parametrize("chunk_s", [0.001, 0.1, 1.0, 1000.0])
def test_every_sample_once_whatever_the_chunk(run6: str, chunk_s: float) -> None:
    file = open_recording(run6)
    assert file.default is not None
    expected = file.default.read(0, 20000)
    file.close()
    with Recording(run6, speed=math.inf, chunk_s=chunk_s).open() as stream:
        chunks, markers = _play(stream)
        values = np.concatenate([chunk.values for chunk in chunks])
        times = np.concatenate([chunk.times for chunk in chunks])
        assert np.array_equal(values, expected)
        assert values.dtype == np.float32
        assert np.array_equal(times, np.arange(20000) / 160)
        assert {len(chunk) for chunk in chunks[:-1]} <= {max(1, round(chunk_s * 160))}
        assert not any(chunk.gap for chunk in chunks)
        assert len(markers) == 30
        assert all(marker.time_s in times for marker in markers)
        assert stream.health().n_samples == 20000


def test_a_chunk_comes_when_its_last_sample_is_due(run6: str) -> None:
    clock = ManualClock(1000.0)
    with Recording(run6, chunk_s=0.1).open(clock) as stream:
        first = stream.read(1.0)
        assert first is not None
        assert clock.now() == pytest.approx(1000.1)
        assert first.times[0] == 1000.0
        assert first.times[-1] == pytest.approx(1000.0 + 15 / 160)
        assert stream.read(0.02) is None
        assert clock.now() == pytest.approx(1000.12)
        second = stream.read(1.0)
        assert second is not None
        assert clock.now() == pytest.approx(1000.2)
        assert second.times[0] == pytest.approx(1000.1)


def test_deadlines_do_not_drift(run6: str) -> None:
    clock = ManualClock(50.0)
    with Recording(run6, chunk_s=0.019, speed=4.0).open(clock) as stream:
        n = 0
        while True:
            try:
                chunk = stream.read(10.0)
            except EndOfStream:
                break
            assert chunk is not None
            n += len(chunk)
            clock.advance(0.001)  # whoever reads takes its time
            assert 0 <= clock.now() - (50.0 + n / 160 / 4) <= 0.0011
        assert n == 20000


def test_markers_keep_their_samples_when_paced(run6: str) -> None:
    clock = ManualClock(7.5)
    with Recording(run6, speed=10.0, chunk_s=0.25).open(clock) as stream:
        times: list[float] = []
        for _ in range(40):
            chunk = stream.read(1.0)
            assert chunk is not None
            times += chunk.times.tolist()
        markers = stream.take_markers()
        assert [marker.label for marker in markers] == ["T0", "T2", "T0"]
        assert [marker.time_s for marker in markers] == [times[0], times[672], times[1328]]


def test_start_and_loop(run6: str) -> None:
    with Recording(run6, speed=math.inf, start_s=120.0, loop=True, chunk_s=2.0).open() as stream:
        chunks = [stream.read(0.0) for _ in range(6)]
        spans = [(c.times[0], len(c), c.gap) for c in chunks if c is not None]
        assert [span[1:] for span in spans] == [
            (320, False), (320, False), (160, False), (320, True), (320, False), (160, False),
        ]  # fmt: skip
        assert spans[0][0] == 120.0
        assert spans[3][0] > 125.5  # whoever sees only stamps sees the gap too
        assert np.array_equal(chunks[0].values, chunks[3].values)  # type: ignore[union-attr]
        assert stream.health().n_gaps == 1
        labels = [marker.label for marker in stream.take_markers()]
        assert labels == labels[: len(labels) // 2] * 2


def test_truth_comes_with_the_samples_it_belongs_to(shared_data: Path) -> None:
    path = shared_data / "formats" / "fif" / "sample_ecog_ieeg.fif"
    with Recording(str(path), truth="seeg", speed=math.inf, chunk_s=0.1).open() as stream:
        assert stream.truth_signal is not None
        assert stream.truth_signal.n_channels == 74
        assert stream.take_truth() is None
        chunk = stream.read(0.0)
        truth = stream.take_truth()
        assert chunk is not None
        assert truth is not None
        assert np.array_equal(truth.times, chunk.times)
        rest, _ = _play(stream)
        truth = stream.take_truth()
        assert truth is not None
        assert len(truth) == sum(len(chunk) for chunk in rest)
        assert stream.take_truth() is None


def test_the_unit_of_a_file_can_be_set_right(shared_data: Path) -> None:
    path = str(shared_data / "ssvep_exo" / "subject03" / "subject03_2012.07.11-15.25.23_raw.fif")
    with (
        Recording(path, speed=math.inf).open() as as_stated,
        Recording(path, speed=math.inf, unit="mV").open() as corrected,
    ):
        stated, right = as_stated.read(0.0), corrected.read(0.0)
        assert stated is not None
        assert right is not None
        assert as_stated.signal.unit == corrected.signal.unit == "uV"
        assert np.allclose(stated.values, right.values * 1000, rtol=1e-6)


def test_a_closed_stream_is_over(run6: str) -> None:
    stream = Recording(run6, speed=math.inf).open()
    assert stream.identity == "recording:S001R06.edf:eeg"
    stream.close()
    stream.close()
    with pytest.raises(EndOfStream):
        stream.read(0.0)


def test_what_a_closed_stream_still_had_is_gone(shared_data: Path) -> None:
    path = shared_data / "xdf_lsl" / "switch_example.xdf"
    stream = Recording(str(path), truth="g.USBamp-1", speed=math.inf).open()
    assert stream.read(0.0) is not None
    stream.close()
    assert stream.take_truth() is None


def test_a_folder_that_no_format_has_is_refused(shared_data: Path) -> None:
    for folder in ("formats/neuralynx", "xdf_lsl"):
        with pytest.raises(DeviceRefused, match=folder):
            Recording(str(shared_data / folder)).open()


def test_wishes_that_the_file_cannot_meet(run6: str) -> None:
    with pytest.raises(DeviceNotFound, match=r"no stream 'ecog'.*has 'eeg'"):
        Recording(run6, stream="ecog").open()
    with pytest.raises(DeviceNotFound, match=r"no markers called 'x\.tsv'.*'annotations'"):
        Recording(run6, markers="x.tsv").open()
    with pytest.raises(DeviceRefused, match=r"start_s = 125 lies behind the end .*\(125 s\)"):
        Recording(run6, start_s=125.0).open()
    for wrong in ({"speed": 0.0}, {"speed": math.nan}, {"chunk_s": 0.0}, {"start_s": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Recording(run6, **wrong)  # type: ignore[arg-type]
