"""Senders that vanish and come back, as the same or as something else. Real LSL."""

import time

import numpy as np
import pytest

from devices.adapters.lsl import Lsl
from devices.device import DeviceChanged
from tests.devices.lsl_sender import Sender, drain, read_samples, unique


def restarted(lsl, sender, name, **changes):
    """End a sender and start another in its place, which sends all the time."""
    sender.close()
    return Sender(lsl, name, **{"source_id": sender.source_id, "units": "uV", **changes})


def read_on(stream, sender, deadline_s=30.0):
    """Have `sender` send until something arrives; return that chunk's gap and first value."""
    end_s = time.monotonic() + deadline_s
    k = 0
    while time.monotonic() < end_s:
        sender.t0 = time.monotonic() - k / sender.rate_hz
        sender.push_ramp(k, 5)
        k += 5
        if (chunk := stream.read(0.05)) is not None:
            return chunk.gap, chunk.values.copy()
    raise AssertionError("nothing came")


def test_a_sender_that_starts_again_goes_on_after_a_gap(lsl):
    name = unique("restart")
    sender = Sender(lsl, name)
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push_ramp(0, 10)
        read_samples(stream, 10)
        sender = restarted(lsl, sender, name)
        gap, values = read_on(stream, sender)
        assert gap
        assert values.shape[1] == 2
        assert stream.health().n_gaps == 1
        drain(stream, 10.0)  # and can do so again
        sender = restarted(lsl, sender, name)
        assert read_on(stream, sender)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate_hz": 250.0}, "rate was '100 Hz', now is '250 Hz'"),
        ({"labels": ["C3", "Cz"]}, "channel 2 was 'C4', now is 'Cz'"),
        ({"units": "V"}, "unit 1 was 'uV', now is 'V'"),
        ({"n_channels": 3, "labels": ["C3", "C4", "Cz"]}, "channels was 2, now is 3"),
        ({"speed": "fast"}, "speed is 'fast', not a number"),
        ({"format": "int16"}, "format was 'float32', now is 'int16'"),
    ],
)
def test_a_sender_that_comes_back_as_something_else_is_refused(lsl, changes, message):
    name = unique("changed")
    sender = Sender(lsl, name, labels=["C3", "C4"])
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push_ramp(0, 10)
        read_samples(stream, 10)
        sender = restarted(lsl, sender, name, **{"labels": ["C3", "C4"], **changes})
        with pytest.raises(DeviceChanged, match=message):
            read_on(stream, sender)


def test_silence_of_the_same_sender_changes_nothing(lsl):
    sender = Sender(lsl, unique("silent"))
    with Lsl(source_id=sender.source_id, stall_s=0.05).open() as stream:
        sender.wait().push_ramp(0, 10)
        read_samples(stream, 10)
        for _ in range(20):
            assert stream.read(0.1) is None
        sender.push_ramp(210, 10)
        _, values, gaps = read_samples(stream, 10)
    assert gaps == [0]
    np.testing.assert_array_equal(values[:, 0], np.arange(210, 220))
