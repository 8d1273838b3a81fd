import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from devices.adapters.lsl import Lsl
from devices.adapters.recording import Recording
from devices.clock import MONOTONIC, ManualClock
from devices.device import DeviceRefused, EndOfStream, Stream
from devices.discovery import StreamMatch
from devices.outlet import Publisher, forward, linger, run, stop_on_signals
from devices.pacing import Pacer
from devices.signal import Chunk, Marker, Signal
from tests.devices.lsl_sender import read_samples, unique


@dataclass
class Ramp:
    """Sample k is k; a marker at every 50th sample, a bit beside it; truth at a tenth the rate."""

    n_samples: int
    rate_hz: float = 1000.0
    speed: float = 1.0
    n_chunk: int = 20
    stamps_as_played: bool = True

    def open(self, clock=MONOTONIC):
        return RampStream(self, clock)


class RampStream(Stream):
    def __init__(self, ramp, clock):
        self.signal = Signal(ramp.rate_hz, ("C3", "C4"), "uV")
        self.truth_signal = Signal(ramp.rate_hz / 10, ("vx",), "m/s")
        self.identity = "ramp"
        self._ramp, self._clock = ramp, clock
        self._pacer = Pacer(clock, ramp.speed, ramp.rate_hz)
        self._k = np.arange(0)
        self._next = 0

    def read(self, timeout_s):
        stop = min(self._next + self._ramp.n_chunk, self._ramp.n_samples)
        if stop == self._next:
            raise EndOfStream
        if not self._pacer.wait_for(stop, timeout_s):
            return None
        self._k, self._next = np.arange(self._next, stop), stop
        return Chunk(self._time(self._k), np.repeat(self._k[:, None], 2, axis=1).astype("f4"))

    def take_markers(self):
        beside = np.where(self._k % 100 == 0, 0.3, -0.3)
        return tuple(
            Marker(self._time(k + shift), f"at {k}")
            for k, shift in zip(self._k, beside, strict=True)
            if k % 50 == 0
        )

    def take_truth(self):
        k = self._k[self._k % 10 == 0]
        return Chunk(self._time(k), k[:, None].astype("f4")) if len(k) else None

    def close(self):
        pass

    def _time(self, k):
        pace = self._ramp.speed if self._ramp.stamps_as_played else 1.0
        return self._pacer.due(0) + k / self._ramp.rate_hz / pace


def receive(name, device, n, truth=True):
    """Publish `device` in a thread; return times, values, gaps, markers and truth received."""
    stop = threading.Event()
    published = []

    def publish():
        published.append(run(device, name, stop, wait_s=20.0))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        recipe = Lsl(
            name=name,
            markers=StreamMatch(name=f"{name}-markers"),
            truth=StreamMatch(name=f"{name}-truth" if truth else ""),
        )
        with recipe.open() as stream:
            times, values, gaps = read_samples(stream, n)
            markers = list(stream.take_markers())
            told = stream.take_truth()
            told = None if told is None else (told.times.copy(), told.values.copy())
            thread.join(20.0)
            markers += stream.take_markers()
            signals = (stream.signal, stream.truth_signal)
    finally:
        stop.set()
        thread.join(20.0)
    assert published == [n]
    return times, values, gaps, markers, told, signals


@pytest.mark.parametrize(
    ("speed", "stamps_as_played", "n_chunk"),
    [(1.0, True, 20), (20.0, True, 1), (20.0, False, 1), (20.0, False, 20)],
)
def test_what_is_published_is_received_whole_with_its_markers_and_truth(
    lsl, speed, stamps_as_played, n_chunk
):
    device = Ramp(400, speed=speed, stamps_as_played=stamps_as_played, n_chunk=n_chunk)
    times, values, gaps, markers, truth, signals = receive(unique("ramp"), device, 400)
    np.testing.assert_array_equal(values[:, 0], np.arange(400))
    np.testing.assert_allclose(times, times[0] + np.arange(400) / 1000 / speed, atol=1e-6)
    assert gaps == []
    assert [m.label for m in markers] == [f"at {k}" for k in range(0, 400, 50)]
    assert [m.time_s for m in markers] == [times[k] for k in range(0, 400, 50)]
    assert truth is not None
    np.testing.assert_allclose(truth[0], times[: 10 * len(truth[0]) : 10], atol=1e-6)
    np.testing.assert_array_equal(truth[1][:, 0], np.arange(0, 10 * len(truth[1]), 10))
    assert signals == (Signal(1000.0, ("C3", "C4"), "uV"), Signal(100.0, ("vx",), "m/s"))


def test_stamps_are_of_the_time_at_which_samples_come(lsl):
    times, *_ = receive(unique("now"), Ramp(200), 200)
    assert abs(time.monotonic() - times[-1]) < 30.0


def test_a_restarted_sender_is_known_by_the_same_source_id(lsl):
    name = unique("again")
    for _ in range(2):
        stream = Ramp(10).open()
        publisher = Publisher(stream, name)
        with Lsl(name=name).open() as received:
            assert received.identity.startswith(f"lsl:{name}@")
        publisher.close()


def test_infinite_speed_has_no_stamps_and_is_refused(lsl):
    with pytest.raises(DeviceRefused, match="finite speed"):
        Publisher(Ramp(10).open(), unique("inf"), speed=math.inf)


@pytest.mark.parametrize(("speed", "nominal_s"), [(0.5, 60), (1.0, 60), (50.0, 3000)])
def test_a_minute_waits_for_a_slow_receiver_however_fast_it_is_played(
    lsl, monkeypatch, speed, nominal_s
):
    asked, outlet = [], lsl.StreamOutlet

    def noted(*arguments):
        asked.append(arguments)
        return outlet(*arguments)

    monkeypatch.setattr(lsl, "StreamOutlet", noted)
    Publisher(Ramp(10, speed=speed).open(), unique("minute"), speed=speed).close()
    assert asked[0][2] == nominal_s


def test_stop_ends_it_before_anybody_receives(lsl):
    stop = threading.Event()
    stop.set()
    assert run(Ramp(10**9), unique("stopped"), stop, wait_s=1e6) == 0


class Recorder:
    """Takes what is pushed, notes when, and is busy for a while each time."""

    def __init__(self, clock, n, mean_work_s):
        self._clock = clock
        self._work_s = np.random.default_rng(1).exponential(mean_work_s, n).tolist()
        self.pushed_s, self.n_pushed = [], []

    def push(self, chunk, markers, truth):
        self.pushed_s.append(self._clock.now())
        self.n_pushed.append(len(chunk))
        self._clock.advance(self._work_s[len(self.pushed_s) - 1])


class Quarter(RampStream):
    """Chunks of 10 ms at 250 Hz: two samples and three in turn."""

    def read(self, timeout_s):
        n = 2 + self._n_read % 2
        self._next += n
        if self._next > self._ramp.n_samples:
            raise EndOfStream
        if not self._pacer.wait_for(self._next, timeout_s):
            raise AssertionError("a chunk was not due in time")
        self._n_read += 1
        return self._chunks[n]

    def __init__(self, ramp, clock):
        super().__init__(ramp, clock)
        self._n_read = 0
        self._chunks = {n: Chunk(np.zeros(n), np.zeros((n, 2), "f4")) for n in (2, 3)}

    def take_markers(self):
        return ()

    def take_truth(self):
        return None


def test_an_hour_of_pushes_stays_within_a_millisecond_and_does_not_drift():
    clock = ManualClock(1e5)
    stream = Quarter(Ramp(900_000, rate_hz=250.0), clock)
    sink = Recorder(clock, 360_000, mean_work_s=0.001)
    assert forward(stream, sink, threading.Event()) == 900_000
    late_s = np.array(sink.pushed_s) - (1e5 + np.cumsum(sink.n_pushed) / 250.0)
    assert late_s.min() > -1e-6
    assert np.percentile(late_s, 99.9) < 1e-3
    assert abs(np.median(late_s[-1000:])) < 1e-6


class Late(ManualClock):
    """Wakes whoever sleeps on it so much later than asked, as a busy machine does."""

    def __init__(self, late_s):
        super().__init__(0.0)
        self.late_s = late_s

    def sleep_until(self, time_s):
        super().sleep_until(time_s + self.late_s)


@pytest.mark.parametrize(("late_s", "lasts_s"), [(0.0, 0.5), (0.09, 5.0)])
def test_the_last_samples_have_longer_to_go_out_on_a_busy_machine(late_s, lasts_s):
    clock = Late(late_s)
    linger(lambda: True, 0.5, clock)
    assert clock.now() == pytest.approx(lasts_s)


def test_nobody_is_waited_for_who_has_gone():
    clock = ManualClock(0.0)
    linger(lambda: clock.now() < 0.095, 0.5, clock)
    assert clock.now() == pytest.approx(0.1)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_instead_of_killing(kind):
    with stop_on_signals() as stop:
        os.kill(os.getpid(), kind)
        assert stop.wait(5.0)


def test_a_recording_at_fifty_times_the_speed_is_the_recording(lsl, shared_data):
    path = str(shared_data / "eegmmi_s001" / "S001R10.edf")
    values, times, labels = [], [], []
    with Recording(path=path, speed=math.inf).open() as offline:
        while True:
            try:
                chunk = offline.read(0.0)
            except EndOfStream:
                break
            times.append(chunk.times.copy())
            values.append(chunk.values.copy())
            labels += offline.take_markers()
    times, values = np.concatenate(times), np.concatenate(values)
    device = Recording(path=path, speed=50.0)
    live_times, live_values, gaps, live_labels, _, signals = receive(
        unique("recording"), device, len(values), truth=False
    )
    assert gaps == []
    assert signals[0] == offline.signal
    np.testing.assert_array_equal(live_values, values)
    assert [m.label for m in live_labels] == [m.label for m in labels]
    bound = [np.abs(times - m.time_s).argmin() for m in labels]
    assert [m.time_s for m in live_labels] == live_times[bound].tolist()


def test_a_streaming_process_ends_cleanly_on_a_signal(lsl):
    name = unique(f"process-{os.getpid()}")
    code = (
        "from devices.outlet import run, stop_on_signals\n"
        "from tests.devices.test_outlet import Ramp\n"
        f"with stop_on_signals() as stop:\n    print(run(Ramp(10**9), {name!r}, stop) > 0)"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with Lsl(name=name, timeout_s=60.0).open() as stream:
            read_samples(stream, 100)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out.strip()) == (0, "True"), err
