"""A sender as other people's programs are: plain pylsl."""

import itertools
import time

import numpy as np

_numbers = itertools.count()


def unique(name):
    return f"{name}-{next(_numbers)}"


class Sender:
    def __init__(
        self,
        lsl,
        name,
        n_channels=2,
        rate_hz=100.0,
        type="EEG",
        format="float32",
        source_id=None,
        labels=None,
        units="uV",
        speed=None,
    ):
        self.source_id = f"id-{name}" if source_id is None else source_id
        info = lsl.StreamInfo(name, type, n_channels, rate_hz, format, self.source_id)
        channels = info.desc().append_child("channels")
        units = [units] * n_channels if isinstance(units, str) else units
        for k in range(n_channels):
            channel = channels.append_child("channel")
            if labels is not None:
                channel.append_child_value("label", labels[k])
            if units is not None:
                channel.append_child_value("unit", units[k])
        if speed is not None:
            info.desc().append_child("bci").append_child_value("speed", str(speed))
        self.outlet = lsl.StreamOutlet(info)
        self.rate_hz = rate_hz
        self.n_channels = n_channels
        self.t0 = time.monotonic()

    def wait(self):
        assert self.outlet.wait_for_consumers(10.0)
        return self

    def push(self, values, stamps):
        self.outlet.push_chunk(np.asarray(values), list(map(float, stamps)))

    def push_ramp(self, start, n, step_s=None):
        """Send samples start … start + n - 1; channel c of sample k is k + c / 10."""
        k = np.arange(start, start + n)
        step_s = 1.0 / self.rate_hz if step_s is None else step_s
        self.push(k[:, None] + np.arange(self.n_channels) / 10, self.t0 + k * step_s)
        return k

    def close(self):
        self.outlet = None


def read_samples(stream, n, deadline_s=30.0):
    """Read until `n` samples have come; return copies of times, values, and where gaps were."""
    end_s = time.monotonic() + deadline_s
    times, values, gaps, n_read = [], [], [], 0
    while n_read < n:
        assert time.monotonic() < end_s, f"{n_read} of {n} samples came"
        chunk = stream.read(0.2)
        if chunk is None:
            continue
        assert len(chunk) > 0
        if chunk.gap:
            gaps.append(n_read)
        times.append(chunk.times.copy())
        values.append(chunk.values.copy())
        n_read += len(chunk)
    return np.concatenate(times), np.concatenate(values), gaps


def drain(stream, deadline_s):
    """Read and drop all that is on its way."""
    end_s = time.monotonic() + deadline_s
    while stream.read(0.3) is not None:
        assert time.monotonic() < end_s, "it never ended"


def read_until_it_raises(stream, deadline_s):
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        stream.read(0.2)
