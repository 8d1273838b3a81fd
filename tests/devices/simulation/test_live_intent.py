import time

import numpy as np
import pytest

from devices.adapters.simulator_eeg import SimulatorEeg
from devices.adapters.simulator_reach import SimulatorReach
from devices.device import DeviceNotFound, DeviceRefused
from devices.simulation import listener
from tests.devices.lsl_sender import unique

DEADLINE_S = 20.0


def outlet_of(lsl, name, n_channels, channel_format):
    info = lsl.StreamInfo(name, "Intent", n_channels, 0.0, channel_format, name)
    return lsl.StreamOutlet(info)


def read_truth_until(stream, holds):
    """Read on until `holds` is true of a row of the truth; return all that was read."""
    end = time.monotonic() + DEADLINE_S
    rows, times = [], []
    while time.monotonic() < end:
        if stream.read(1.0) is None:
            continue
        truth = stream.take_truth()
        if truth is not None:
            rows.append(truth.values)
            times.append(truth.times)
            if holds(truth.values).any():
                return np.concatenate(times), np.concatenate(rows)
    raise AssertionError("what was told never showed in the truth")


def test_eeg_follows_labels_from_the_sample_of_their_time(lsl):
    name = unique("labels")
    outlet = outlet_of(lsl, name, 1, lsl.cf_string)
    with SimulatorEeg(n_channels=8, intent_stream=name, chunk_s=0.1).open() as stream:
        read_truth_until(stream, lambda rows: rows.sum(axis=1) == 0)
        told_s = lsl.local_clock()
        outlet.push_sample(["a task's own word"], told_s - 0.001)
        outlet.push_sample(["right"], told_s)
        times, rows = read_truth_until(stream, lambda rows: rows[:, 1] == 1)
        first_s = times[rows[:, 1].argmax()]
        assert told_s <= first_s
        marker = stream.take_markers()
        assert [m.label for m in marker] == ["right"]
        assert marker[0].time_s == pytest.approx(first_s, abs=1e-6)
        outlet.push_sample(["rest"])
        read_truth_until(stream, lambda rows: rows.sum(axis=1) == 0)
        assert [m.label for m in stream.take_markers()] == ["rest"]


def test_reach_follows_velocities_and_rests_when_told_nothing(lsl):
    name = unique("velocity")
    outlet = outlet_of(lsl, name, 2, lsl.cf_double64)
    with SimulatorReach(n_units=4, intent_stream=name).open() as stream:
        read_truth_until(stream, lambda rows: (rows == 0).all(axis=1))
        outlet.push_sample([0.25, -0.5])
        read_truth_until(stream, lambda rows: (rows == (0.25, -0.5)).all(axis=1))
        read_truth_until(stream, lambda rows: (rows == 0).all(axis=1))


def test_a_stream_that_carries_something_else_is_refused(lsl):
    name = unique("numbers")
    outlet = outlet_of(lsl, name, 1, lsl.cf_float32)
    with pytest.raises(DeviceRefused, match="1 channels of numbers; the intent needs text"):
        SimulatorEeg(intent_stream=name).open()
    with pytest.raises(DeviceRefused, match="needs 2 or more channels of numbers"):
        SimulatorReach(intent_stream=name).open()
    del outlet


def test_a_stream_that_is_not_there_is_said_to_be_missing(lsl, monkeypatch):
    monkeypatch.setattr(listener, "FIND_S", 0.2)
    name = unique("there")
    outlet = outlet_of(lsl, name, 1, lsl.cf_string)
    with pytest.raises(DeviceNotFound, match=r"(?s)nobody.*There are"):
        SimulatorEeg(intent_stream="nobody").open()
    del outlet
