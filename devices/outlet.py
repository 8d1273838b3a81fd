"""Any open stream, put on LSL: the signal, its markers, and the truth where it is known."""

from __future__ import annotations

import ctypes
import math
import signal as signals
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC, Clock
from devices.device import Device, DeviceRefused, EndOfStream, Stream
from devices.liblsl import load_pylsl
from devices.signal import Chunk, Marker, Signal

__all__ = ["Publisher", "Sink", "forward", "linger", "run", "stop_on_signals"]

_BUFFER_BYTES = 256e6
_BUFFER_S = 60
"""What waits for a receiver that is slow, as long as it takes to play."""
_READ_S = 0.2
_NAP_S = 0.01
_UNITS = {"uV": "microvolts"}
"""The spelling that XDF recommends, where it is not ours."""


class Sink(Protocol):
    """Whatever takes what a stream gives."""

    def push(self, chunk: Chunk, markers: Sequence[Marker], truth: Chunk | None) -> None:
        """Take what one read brought."""


class Publisher:
    """The LSL outlets of one stream: NAME, NAME-markers and NAME-truth.

    A stream at another speed than 1 keeps its nominal rate; ``desc/bci/speed`` says how many times
    faster its samples come. Every sample has a stamp of its own, on LSL's clock. A marker bears
    exactly the stamp of the sample nearest to it, so a receiver cannot bind it to another, and is
    sent before that sample.

    Parameters
    ----------
    stream
        What is to be published. It may stamp a replay as the real thing would have been (samples
        ``1 / rate`` apart) or as it is played (``1 / (rate · speed)``); which, is seen from its
        first two samples.
    name
        Name of the outlets.
    type
        LSL's word for the content: ``EEG``, ``Spikes`` …
    source_id
        What receivers find the stream by after a restart; default: NAME@host.
    speed
        The stream's speed, finite.
    clock
        The clock that the stream is paced on.

    Raises
    ------
    DeviceRefused
        The speed is infinite: such samples have no time at which they come.
    """

    def __init__(
        self,
        stream: Stream,
        name: str,
        *,
        type: str = "EEG",
        source_id: str = "",
        speed: float = 1.0,
        clock: Clock = MONOTONIC,
    ) -> None:
        if not math.isfinite(speed):
            raise DeviceRefused(
                f"{name!r} cannot be put on LSL at speed {speed}: its samples would have no time. "
                "Take a finite speed, such as 20."
            )
        source_id = source_id or f"{name}@{socket.gethostname()}"
        self._clock = clock
        self._stamping = _Stamping(stream.signal.rate_hz, speed)
        self._signal = _NumberOutlet(stream.signal, name, type, source_id, speed, stream.identity)
        self._markers = _marker_outlet(f"{name}-markers", f"{source_id}-markers")
        self._truth = None
        if stream.truth_signal is not None:
            self._truth = _NumberOutlet(
                stream.truth_signal,
                f"{name}-truth",
                "Truth",
                f"{source_id}-truth",
                speed,
                stream.identity,
            )
        self._early: list[Marker] = []

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait for a receiver of the signal, at most `timeout_s`; say if there is one.

        Our own receivers connect to markers and truth before they connect to the signal.
        """
        return bool(self._signal.lsl.wait_for_consumers(timeout_s))

    def have_consumers(self) -> bool:
        """Say whether anybody receives the signal."""
        return bool(self._signal.lsl.have_consumers())

    def push(self, chunk: Chunk, markers: Sequence[Marker], truth: Chunk | None) -> None:
        """Publish what one read brought: markers first, then the truth, then the samples."""
        stamps = self._stamping.stamp(chunk.times, self._clock.now())
        self._early.extend(markers)
        self._push_markers(chunk.times, stamps)
        if self._truth is not None and truth is not None:
            self._truth.push(self._stamping.stamp(truth.times, 0.0), truth.values)
        self._signal.push(stamps, chunk.values)

    def close(self) -> None:
        """Withdraw the outlets. Whoever has not received the last samples yet loses them."""
        self._signal.close()
        self._markers = None
        if self._truth is not None:
            self._truth.close()

    def _push_markers(self, times: NDArray[np.float64], stamps: NDArray[np.float64]) -> None:
        """Send what belongs to this chunk or an earlier one; what lies ahead waits."""
        horizon_s = float(times[-1]) + 0.5 * self._stamping.period_s
        due = sorted((m for m in self._early if m.time_s < horizon_s), key=lambda m: m.time_s)
        self._early = [m for m in self._early if m.time_s >= horizon_s]
        for marker in due:
            if marker.time_s < times[0] - 0.5 * self._stamping.period_s:
                stamp_s = self._stamping.stamp_one(marker.time_s)  # late: its sample has gone
            else:
                stamp_s = float(stamps[int(np.abs(times - marker.time_s).argmin())])
            self._markers.push_sample([marker.label], stamp_s)


def forward(stream: Stream, sink: Sink, stop: threading.Event) -> int:
    """Hand all that `stream` gives to `sink`, until its end or `stop`; return how many samples.

    The stream paces itself: nothing here waits for anything else.
    """
    n_samples = 0
    while not stop.is_set():
        try:
            chunk = stream.read(_READ_S)
        except EndOfStream:
            break
        if chunk is not None:
            n_samples += len(chunk)
            sink.push(chunk, stream.take_markers(), stream.take_truth())
    return n_samples


def run(
    device: Device,
    name: str,
    stop: threading.Event,
    *,
    type: str = "EEG",
    source_id: str = "",
    wait_s: float = 0.0,
    linger_s: float = 2.0,
    clock: Clock = MONOTONIC,
) -> int:
    """Open `device` and publish it until its end, or until `stop` is set.

    Parameters
    ----------
    device
        What to publish; its fields (``speed``, ``loop``, ``start_s`` …) say how.
    name, type, source_id
        See `Publisher`.
    stop
        Set it to end early.
    wait_s
        How long to wait for a receiver before the first sample; then it starts without one.
    linger_s
        How long the outlets stay after the last sample while somebody still receives; longer where
        this process waits for a processor, see `linger`.
    clock
        The clock to pace on.

    Returns
    -------
    int
        Samples published.

    Raises
    ------
    DeviceError
        The device cannot be opened, or fails.
    """
    with device.open(clock) as stream:
        speed = float(getattr(device, "speed", 1.0))
        publisher = Publisher(
            stream, name, type=type, source_id=source_id, speed=speed, clock=clock
        )
        try:
            _wait(publisher, wait_s, stop, clock)
            n_samples = forward(stream, publisher, stop)
            linger(publisher.have_consumers, linger_s, clock)
        finally:
            publisher.close()
    return n_samples


def linger(is_needed: Callable[[], bool], linger_s: float, clock: Clock) -> None:
    """Wait for `linger_s` in naps, as long as it is needed.

    LSL does not say when all has been sent. On a busy machine every nap takes longer, and so does
    what LSL's own thread has still to do.

    Parameters
    ----------
    is_needed
        Says whether anybody still receives.
    linger_s
        How long all naps take on a machine that is idle.
    clock
        The clock to wait on.
    """
    for _ in range(round(linger_s / _NAP_S)):
        if not is_needed():
            return
        clock.sleep_until(clock.now() + _NAP_S)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Set an event on SIGINT and SIGTERM, instead of dying of them. For the main thread only."""
    stop = threading.Event()
    kinds = (signals.SIGINT, signals.SIGTERM)
    before = {kind: signals.signal(kind, lambda *_: stop.set()) for kind in kinds}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signals.signal(kind, handler)


def _wait(publisher: Publisher, wait_s: float, stop: threading.Event, clock: Clock) -> None:
    end_s = clock.now() + wait_s
    while not stop.is_set() and (left_s := end_s - clock.now()) > 0:
        if publisher.wait_for_consumers(min(left_s, _READ_S)):
            return


class _Stamping:
    """From a stream's times to LSL stamps: ``t0 + (time - first) / pace``, nothing accumulates."""

    def __init__(self, rate_hz: float, speed: float) -> None:
        self.period_s = 1.0 / rate_hz
        self._speed = speed
        self._pace: float | None = 1.0 if speed == 1.0 else None
        self._first_s: float | None = None
        self._t0_s = 0.0

    def stamp(self, times: NDArray[np.float64], now_s: float) -> NDArray[np.float64]:
        """Return the stamps of (n,) `times` that are complete now."""
        first_s = float(times[0]) if self._first_s is None else self._first_s
        if self._pace is None and times[-1] > first_s:
            n_steps = len(times) - 1 if self._first_s is None else len(times)
            self._find_pace((float(times[-1]) - first_s) / n_steps)
        if self._first_s is None:
            self._first_s = first_s
            self._t0_s = self._start(times, now_s)
        return self._t0_s + (times - first_s) / (self._pace or 1.0)

    def stamp_one(self, time_s: float) -> float:
        """Return the stamp of one time, once samples have been stamped."""
        return self._t0_s + (time_s - (self._first_s or 0.0)) / (self._pace or 1.0)

    def _find_pace(self, step_s: float) -> None:
        """Judge from how far apart samples are whether the stream's times are sped up already."""
        is_played = abs(math.log(step_s / self.period_s)) > abs(math.log(self._speed)) / 2
        self._pace = 1.0 if is_played else self._speed
        if is_played:
            self.period_s /= self._speed

    def _start(self, times: NDArray[np.float64], now_s: float) -> float:
        first_s, last_s = float(times[0]), float(times[-1])
        if abs(now_s - last_s) < 1.0 and self._pace == 1.0:
            return first_s  # it is stamped on this clock already
        return now_s - (last_s - first_s) / (self._pace or 1.0)


class _NumberOutlet:
    """A float32 outlet that describes itself."""

    def __init__(
        self, signal: Signal, name: str, type: str, source_id: str, speed: float, identity: str
    ) -> None:
        pylsl = load_pylsl()
        info = pylsl.StreamInfo(
            name, type, signal.n_channels, signal.rate_hz, pylsl.cf_float32, source_id
        )
        channels = info.desc().append_child("channels")
        unit = _UNITS.get(signal.unit, signal.unit)
        for label in signal.channels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", type)
        ours = info.desc().append_child("bci")
        ours.append_child_value("speed", repr(speed))
        ours.append_child_value("identity", identity)
        bytes_a_second = 4 * signal.n_channels * signal.rate_hz
        # LSL counts seconds at the nominal rate: of a minute, fifty times the speed leaves one.
        buffer_s = max(1, int(min(_BUFFER_S * max(1.0, speed), _BUFFER_BYTES / bytes_a_second)))
        self._n_channels = signal.n_channels
        self.lsl: Any = pylsl.StreamOutlet(info, 0, buffer_s)

    def push(self, stamps: NDArray[np.float64], values: NDArray[np.floating]) -> None:
        """Send (n, n_channels) `values` as one chunk, one stamp each.

        pylsl's own ``push_chunk`` does the same, by way of a Python list of the stamps.
        """
        values = np.ascontiguousarray(values, dtype=np.float32)
        code = self.lsl.do_push_chunk_n(
            self.lsl.obj,
            ctypes.c_void_p(values.ctypes.data),
            ctypes.c_ulong(values.size),
            ctypes.c_void_p(stamps.ctypes.data),
            ctypes.c_int(1),
        )
        load_pylsl().util.handle_error(code)

    def close(self) -> None:
        self.lsl = None


def _marker_outlet(name: str, source_id: str) -> Any:
    pylsl = load_pylsl()
    info = pylsl.StreamInfo(name, "Markers", 1, 0.0, pylsl.cf_string, source_id)
    return pylsl.StreamOutlet(info)
