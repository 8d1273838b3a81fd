"""What becomes of a recording when the disk stalls, fails, and comes back."""

import errno
import os
import threading
from queue import SimpleQueue

import numpy as np
import pytest

from bci_server.recording.items import Content
from bci_server.recording.names import Record, create_file
from bci_server.recording.recorder import Recorder
from devices.clock import MONOTONIC, ManualClock
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Recorded
from devices.recording.verify import verify
from devices.signal import Chunk, Marker, Signal
from tests.devices.recording.recordings import load

WAIT_S = 60.0


class Disk:
    """Makes files on a disk that stalls or fails when it is told to."""

    def __init__(self):
        self.flows = threading.Event()
        self.flows.set()
        self.error = None

    def create(self, record, task):
        disk = self

        class File(CheckedFile):
            def put(self, piece):
                assert disk.flows.wait(WAIT_S)
                if disk.error is not None:
                    raise OSError(disk.error, os.strerror(disk.error))
                super().put(piece)

        with create_file(record, task) as made:
            path = made.path
        return File(path.with_name(path.name.replace("_run-", "_run-1")))


def feed(recorder, first, n_chunks, signal, n=500):
    """Feed chunks, each with a marker that tells which it is."""
    for i in range(n_chunks):
        start = first + i * n
        values = np.full((n, signal.n_channels), float(start), np.float32)
        chunk = Chunk(np.arange(start, start + n) / 1e3, values)
        recorder.take(chunk, None, (Marker(start / 1e3, str(start)),), (), None, 0.0)
        recorder.turn(0.0)


def feed_and_wait(recorder, first, n_chunks, signal):
    """Feed chunks of ten, and wait until all of them have come to the disk."""
    feed(recorder, first, n_chunks, signal, 10)
    told = threading.Event()
    recorder.start(lambda result: told.set())  # answered when all before it is done
    assert told.wait(WAIT_S)


def wide(tmp_path, disk, clock=MONOTONIC):
    signal = Signal(1000.0, tuple(f"c{i}" for i in range(256)), "uV")
    record = Record(participant="P01", folder=str(tmp_path), buffer_s=1.0)
    content = Content("wide", "amp", signal)
    return signal, Recorder(record, content, clock, disk.create)


def test_a_disk_that_stalls_costs_samples_but_not_the_loop_and_the_loss_is_told(tmp_path):
    disk = Disk()
    signal, recorder = wide(tmp_path, disk)
    path = recorder.start_and_wait(WAIT_S)
    disk.flows.clear()
    feed(recorder, 0, 40, signal)  # 20 s of samples into a ring of 8 MB: none of this may wait
    state = recorder.state
    assert state.n_lost > 0
    assert {"recording_disk_slow", "recording_lost_samples"} <= set(state.alarms)
    disk.flows.set()
    recorder.close("ended", "", WAIT_S)
    assert verify(path).verdict == "clean"
    kept = load(path)["wide"]["time_series"][:, 0]
    (lost,) = [e for e in Recorded.open(path).log() if e["log"] == "lost"]
    assert lost["n"] == state.n_lost == 40 * 500 - len(kept)
    assert lost["first"] == len(kept)
    assert "slow" in lost["why"]
    assert load(path)["wide markers"]["time_series"] == [[str(500 * i)] for i in range(40)]


@pytest.mark.parametrize(
    ("error", "alarm"),
    [(errno.ENOSPC, "recording_disk_full"), (errno.EIO, "recording_disk_gone")],
)
def test_a_disk_that_fails_and_comes_back_leaves_a_whole_file_that_says_what_is_missing(
    tmp_path, error, alarm
):
    disk, clock = Disk(), ManualClock()
    signal, recorder = wide(tmp_path, disk, clock)
    path = recorder.start_and_wait(WAIT_S)
    feed_and_wait(recorder, 0, 5, signal)
    disk.error = error
    feed_and_wait(recorder, 50, 5, signal)
    assert recorder.state.alarms == (alarm, "recording_lost_samples")
    assert recorder.state.n_lost == 50
    disk.error = None
    clock.advance(2.0)
    feed_and_wait(recorder, 100, 5, signal)
    assert recorder.state.alarms == ("recording_lost_samples",)
    recorder.close("ended", "", WAIT_S)
    assert verify(path).verdict == "clean"
    (lost,) = [e for e in Recorded.open(path).log() if e["log"] == "lost"]
    assert (lost["first"], lost["n"]) == (50, 50)
    markers = load(path)["wide markers"]["time_series"]
    assert sorted(int(m[0]) for m in markers) == list(range(0, 150, 10))
    assert [fed.first for fed in Recorded.open(path).turns()] == [
        *range(0, 50, 10),
        *range(100, 150, 10),
    ]


def test_what_one_recording_lost_is_not_told_in_the_next(tmp_path):
    disk, clock = Disk(), ManualClock()
    signal, recorder = wide(tmp_path, disk, clock)

    def lose(first, path):
        feed_and_wait(recorder, first, 1, signal)
        disk.error = errno.EIO
        feed_and_wait(recorder, first + 10, 1, signal)
        disk.error = None
        ended = SimpleQueue()
        recorder.stop(ended.put)
        assert ended.get(timeout=WAIT_S) == path
        return [int(m[0]) for m in load(path)["wide markers"]["time_series"]]

    assert lose(0, recorder.start_and_wait(WAIT_S)) == [0, 10]
    assert lose(20, recorder.start_and_wait(WAIT_S)) == [20, 30]
    recorder.close("ended", "", WAIT_S)
