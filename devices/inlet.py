"""Pulling numbers from LSL into memory that was set aside."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.clock import Clock
from devices.device import DeviceLost, DeviceRefused
from devices.discovery import StreamFound
from devices.liblsl import load_pylsl

__all__ = ["SampleInlet", "SenderChunk"]

_BUFFER_BYTES = 256e6
"""How much liblsl may hold for us while nobody reads."""
_PULL_BYTES = 16e6
_MAX_REST_WAIT_S = 0.005
_WAITED_S = 5e-5


class SenderChunk:
    """Learns how many samples the sender sends at once, from when they arrive.

    Waiting for the first sample only would cut most chunks in two, as liblsl hands them over while
    they still come in; waiting for more than the sender sends would wait in vain. So the guess is
    the smallest of the last bursts.

    Parameters
    ----------
    rate_hz
        Samples that really come each second.

    Attributes
    ----------
    size
        Samples to wait for; 1 until it is known better.
    """

    _N_BURSTS = 8
    _SHORTEST_S = 2e-4

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._bursts = [1] * self._N_BURSTS
        self._n_bursts = 0
        self._burst = 0
        self._is_clean = False
        self._start_s = -math.inf
        self.size = 1

    def learn(self, n_samples: int, was_waited_for: bool, arrival_s: float) -> None:
        """Take one pull: how much it brought, whether it had to wait, when its first sample came.

        A burst is what comes within half the time that its samples took to be sampled.
        """
        limit_s = max(0.5 * self._burst / self._rate_hz, self._SHORTEST_S)
        if arrival_s - self._start_s <= limit_s:
            self._burst += n_samples
            return
        self._finish_burst()
        self._burst, self._start_s = n_samples, arrival_s
        # What was there before it was asked for is a backlog: when it came, nobody knows.
        self._is_clean = was_waited_for

    def _finish_burst(self) -> None:
        if not self._is_clean:
            return
        self._bursts[self._n_bursts % self._N_BURSTS] = self._burst
        self._n_bursts += 1
        self.size = min(self._bursts)


class SampleInlet:
    """A numeric LSL stream, pulled without allocating.

    pylsl's own ``pull_chunk`` makes arrays and lists each time; this calls the same functions of
    liblsl with memory and arguments made once.

    Parameters
    ----------
    info
        The resolved ``pylsl.StreamInfo``.
    rate_hz
        Nominal rate of its samples.
    clock
        Tells when samples arrive.

    Attributes
    ----------
    values
        (capacity, n_channels) in the sender's format: what was pulled last comes first.
    stamps
        (capacity,) float64, the sender's stamps.
    """

    def __init__(self, info: Any, rate_hz: float, clock: Clock) -> None:
        pylsl = load_pylsl()
        self._clock = clock
        self._rate_hz = rate_hz
        self._name = str(StreamFound.of(info))
        n_channels: int = info.channel_count()
        dtype = _dtype_of(info)
        row_bytes = n_channels * dtype.itemsize
        capacity = int(max(64, min(0.5 * rate_hz, _PULL_BYTES / row_bytes)))
        buffer_s = max(1, min(60, int(_BUFFER_BYTES / (row_bytes * rate_hz))))
        self.lsl = pylsl.StreamInlet(info, buffer_s, 0, True)
        self.values: NDArray[Any] = np.zeros((capacity, n_channels), dtype=dtype)
        self.stamps = np.zeros(capacity, dtype=np.float64)
        self._values_at = self.values.ctypes.data
        self._stamps_at = self.stamps.ctypes.data
        self._row_bytes = row_bytes
        self._n_channels = n_channels
        self._error = ctypes.c_int()
        self._error_ref = ctypes.byref(self._error)
        self._pull = self.lsl.do_pull_chunk
        self._handle = self.lsl.obj
        self.chunk = SenderChunk(rate_hz)

    def set_real_rate(self, rate_hz: float) -> None:
        """Take another rate, once the stream's description has told how fast it is replayed."""
        self._rate_hz = rate_hz
        self.chunk = SenderChunk(rate_hz)

    def pull(self, timeout_s: float) -> int:
        """Wait for samples, at most `timeout_s`; return how many were written.

        Returns one of the sender's chunks as a whole, and whatever else is there already.

        Raises
        ------
        DeviceLost
            The sender is gone, and left nothing to find it by again.
        """
        start_s = self._clock.now()
        n = self._take(0, 1, timeout_s)
        if n == 0:
            return 0
        arrival_s = self._clock.now()
        rest = min(self.chunk.size, len(self.stamps)) - 1
        if rest > 0:
            n += self._take(n, rest, min(_MAX_REST_WAIT_S, 0.5 * rest / self._rate_hz))
        n += self._take(n, len(self.stamps) - n, 0.0)
        self.chunk.learn(n, arrival_s - start_s > _WAITED_S, arrival_s)
        return n

    def take_ready(self, start: int) -> int:
        """Write what is there already, from row `start` on; return how many samples."""
        return self._take(start, len(self.stamps) - start, 0.0)

    def _take(self, start: int, n_samples: int, timeout_s: float) -> int:
        if n_samples <= 0:
            return 0
        n_values: int = self._pull(
            self._handle,
            ctypes.c_void_p(self._values_at + start * self._row_bytes),
            ctypes.c_void_p(self._stamps_at + start * 8),
            ctypes.c_size_t(n_samples * self._n_channels),
            ctypes.c_size_t(n_samples),
            ctypes.c_double(timeout_s),
            self._error_ref,
        )
        if self._error.value != 0:
            self._fail()
        return n_values // self._n_channels

    def _fail(self) -> None:
        code, self._error.value = self._error.value, 0
        if code != -1:  # a timeout is no error here
            raise DeviceLost(
                f"LSL stream {self._name} is gone (liblsl error {code}). Start its sender again, "
                "then this; give its sender a source_id, and it is found again by itself."
            )


def _dtype_of(info: Any) -> np.dtype[Any]:
    found = StreamFound.of(info)
    if found.format in ("string", "undefined"):
        raise DeviceRefused(
            f"LSL stream {found} carries {found.format} data, not numbers. A stream of words can "
            "be given as markers = {name = …}."
        )
    return np.dtype(found.format)
