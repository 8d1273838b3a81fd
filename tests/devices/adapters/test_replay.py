"""The replay device, on recordings that are written here."""

import math

import numpy as np
import pytest

from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content, Truth
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.device import DeviceNotFound, DeviceRefused, EndOfStream, Steered
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.recording.xdf_writer import XdfStream, XdfWriter
from devices.signal import Event, Marker, Signal

SIGNAL = Signal(100.0, ("C3", "C4"), "uV")
RECEIVED_S = (20.01, 20.09, 20.09, 20.51)  # two came at once
FIRSTS = (0, 1, 4, 9)
COUNTS = (1, 3, 5, 2)

EVENTS = (
    Event(9, "hit", "client"),
    Event(2, "up", "client", "target", (0.1, -1 / 3), heard=8),
)


def feds():
    rng = np.random.default_rng(0)
    for k, (first, n, received_s) in enumerate(zip(FIRSTS, COUNTS, RECEIVED_S, strict=True)):
        times = 20.0 + np.arange(first, first + n) / 100.0 + (0.4 if k == 3 else 0.0)
        values = rng.normal(0, 1, (n, 2)).astype(np.float32)
        if k == 2:
            values[1, 0] = np.nan
        markers = (Marker(19.5, "late"),) if k == 1 else ()
        events = EVENTS if k == 3 else ()
        yield Turn(first, values, times, times + 1e6 / 3, k == 3, received_s, markers, events)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "session.xdf"
    truth = Signal(50.0, ("vx",), "m/s")
    content = Content("demo", "amp", SIGNAL, truth, has_sender_times=True, about={"model": "m"})
    recording = RecordingFile(CheckedFile(path), content, 0.0)
    for fed in feds():
        recording.write(fed)
        recording.write(Truth(fed.times[:1], np.full((1, 1), fed.first, np.float32)))
    recording.end(30.0, "ended", "")
    return path


def read_all(stream, timeout_s=10.0):
    while True:
        try:
            chunk = stream.read(timeout_s)
        except EndOfStream:
            return
        if chunk is not None:
            yield chunk


@pytest.mark.parametrize("speed", [math.inf, 1.0, 3.0])
def test_chunks_times_gaps_and_what_came_with_them_are_those_of_then(path, speed):
    with Replay(str(path), speed).open(ManualClock(7.0)) as stream:
        assert stream.signal == SIGNAL
        assert isinstance(stream, Steered)
        assert stream.sender_times() is not None
        for fed, chunk in zip(feds(), read_all(stream), strict=True):
            assert chunk.values.tobytes() == fed.values.tobytes()
            assert chunk.times.tobytes() == fed.times.tobytes()
            assert stream.sender_times().tobytes() == fed.sender_times.tobytes()
            assert chunk.gap == fed.gap
            assert stream.take_markers() == fed.markers
            assert stream.take_events() == fed.events
            truth = stream.take_truth()
            assert truth.values.tolist() == [[fed.first]]
        assert stream.health().n_bad == 1
        assert stream.health().clock_offset_s == pytest.approx(-1e6 / 3)


def test_chunks_come_when_they_came_and_times_say_when_they_are_due(path):
    clock = ManualClock(7.0)
    with Replay(str(path), 2.0).open(clock) as stream:
        came = []
        for chunk in read_all(stream):
            came.append(clock.now())
            age_s = clock.now() - stream.due_s(float(chunk.times[-1]))
            assert age_s == pytest.approx((RECEIVED_S[len(came) - 1] - chunk.times[-1]) / 2)
        due = (np.array(RECEIVED_S) - RECEIVED_S[0]) / 2
        assert came == pytest.approx(7.0 + due)


def test_it_waits_no_longer_than_it_is_told_to(path):
    clock = ManualClock()
    with Replay(str(path)).open(clock) as stream:
        for _ in range(3):
            assert stream.read(1.0) is not None
        assert stream.read(0.1) is None
        assert clock.now() == pytest.approx(0.18)
        assert stream.read(1.0) is not None


def test_a_pause_is_a_gap_and_costs_no_time_of_the_recording(path):
    clock = ManualClock()
    with Replay(str(path)).open(clock) as stream:
        stream.read(1.0)
        stream.read(1.0)
        stream.pause()
        stream.pause()
        assert stream.is_paused
        assert stream.read(5.0) is None
        assert clock.now() == pytest.approx(5.08)
        stream.resume()
        chunk = stream.read(1.0)
        assert chunk.gap
        assert len(chunk) == 5
        assert stream.read(1.0) is not None
        assert clock.now() == pytest.approx(5.08 + 0.42)


def test_its_speed_changes_from_where_it_is(path):
    clock = ManualClock()
    with Replay(str(path)).open(clock) as stream:
        for _ in range(3):
            stream.read(1.0)
        stream.set_speed(0.5)
        assert stream.read(10.0) is not None
        assert clock.now() == pytest.approx(0.08 + 2 * 0.42)
        with pytest.raises(ValueError, match="positive"):
            stream.set_speed(0.0)


def test_from_a_later_place_samples_are_counted_anew(path):
    with Replay(str(path), math.inf, start_s=0.1).open() as stream:
        assert stream.first_sample == 9
        assert len(stream.read(0.0)) == 2
        assert stream.take_events() == (Event(0, "hit", "client", heard=0),)
        with pytest.raises(EndOfStream):
            stream.read(0.0)


def test_a_place_behind_the_end_is_refused_with_both(path):
    with pytest.raises(DeviceRefused, match=r"start_s = 100 .*0\.5 s"):
        Replay(str(path), start_s=100.0).open()


@pytest.mark.parametrize(
    ("fields", "said"), [({"speed": 0.0}, "speed"), ({"start_s": -1.0}, "start_s")]
)
def test_fields_are_checked(fields, said):
    with pytest.raises(ValueError, match=said):
        Replay("x.xdf", **fields)


def test_somebody_elses_recording_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(DeviceNotFound):
        Replay(str(tmp_path / "nothing.xdf")).open()
    other = tmp_path / "other.xdf"
    with XdfWriter.create(other) as xdf:
        eeg = xdf.add_stream(XdfStream("eeg", "EEG", "float32", ("a",), "uV", 100.0))
        xdf.write(eeg, np.zeros((10, 1), np.float32), np.arange(10) / 100.0)
    with pytest.raises(DeviceRefused, match="kind = 'recording'"):
        Replay(str(other)).open()
