import numpy as np
import pytest

from devices.clock import ManualClock
from devices.device import EndOfStream
from devices.signal import Signal
from devices.simulation.stream import Block, Pace, SimulatedStream


class Ramp:
    """Counts; its truth is ten times slower. Marks each block's third sample."""

    signal = Signal(100.0, ("n",), "1")
    truth_signal = Signal(10.0, ("block",), "1")
    block = 10

    def __init__(self, is_live=False):
        self.is_live = is_live
        self.made = 0
        self.made_at = []
        self.is_closed = False
        self.clock = ManualClock(5.0)

    def make(self, start_s):
        self.made_at.append(self.clock.now() - start_s)
        first = self.made * 10
        self.made += 1
        values = np.arange(first, first + 10, dtype=np.float32)[:, None]
        return Block(values, np.full((1, 1), self.made, np.float32), ((2, f"m{self.made}"),))

    def close(self):
        self.is_closed = True


def opened(source, speed=1.0, chunk_s=0.04, duration_s=1.0):
    return SimulatedStream(source, Pace(speed, chunk_s, duration_s), source.clock, "ramp")


def test_pieces_are_cut_across_blocks_and_the_last_is_what_is_left():
    stream = opened(Ramp(), chunk_s=0.13)
    lengths, values = [], []
    while len(values) < 100:
        chunk = stream.read(1.0)
        lengths.append(len(chunk))
        values += chunk.values[:, 0].tolist()
    with pytest.raises(EndOfStream):
        stream.read(1.0)
    assert lengths == [13] * 7 + [9]
    assert values == list(range(100))


def test_truth_and_markers_come_with_their_samples():
    stream = opened(Ramp(), chunk_s=0.04)
    stream.read(1.0)
    assert [(m.label, round(m.time_s, 6)) for m in stream.take_markers()] == [("m1", 5.03)]
    assert stream.take_truth() is None
    stream.read(1.0)
    stream.read(1.0)
    truth = stream.take_truth()
    assert truth.values.tolist() == [[1.0]]
    assert truth.times == pytest.approx([5.1])
    assert stream.take_markers() == ()


def test_what_is_not_live_is_made_ahead_and_what_is_live_when_its_time_has_come():
    ahead, live = Ramp(), Ramp(is_live=True)
    opened(ahead, chunk_s=0.1).read(1.0)
    opened(live, chunk_s=0.1).read(1.0)
    assert ahead.made_at == [0.0]
    assert live.made_at == pytest.approx([0.1])


def test_truth_that_nobody_takes_does_not_pile_up():
    stream = opened(Ramp(), speed=float("inf"), chunk_s=1000.0, duration_s=8000.0)
    for _ in range(8):
        stream.read(0.0)
    truth = stream.take_truth()
    assert len(truth) == 65_536
    assert truth.values[-1, 0] == 80_000
    assert truth.times[-1] == pytest.approx(8000.0)
    assert len(stream.take_markers()) == 4096


def test_closing_closes_the_source():
    source = Ramp()
    with opened(source) as stream:
        stream.read(1.0)
    assert source.is_closed
    with pytest.raises(EndOfStream):
        stream.read(1.0)
