"""Any LSL stream, by name, type or source id."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC, Clock
from devices.clock_offset import OffsetEstimate, estimate_offset
from devices.device import DeviceLost, DeviceNotFound, DeviceRefused, Health, Stream
from devices.discovery import StreamFound, StreamMatch, resolve_one
from devices.inlet import SampleInlet
from devices.liblsl import load_pylsl
from devices.lsl_description import Description, to_signal
from devices.rate import RateMeter
from devices.recovery import SourceWatch
from devices.side_streams import MarkerStream, TruthStream
from devices.signal import Chunk, Marker
from devices.stamps import Timeline

__all__ = ["Lsl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsl:
    """A stream on the Lab Streaming Layer.

    Parameters
    ----------
    name, type, source_id
        The stream to take; compared exactly, and at least one is needed. Two that match are
        refused, never chosen between.
    markers
        The stream whose words or numbers are the markers of this one.
    truth
        The stream that says what was meant or done.
    unit
        What the values are in. Needed where the stream's description says nothing (its values are
        else taken as plain numbers, unit ``"1"``), and believed where it says something else.
        Voltages leave as ``uV``.
    timeout_s
        How long to look for each stream.
    gap_s
        More than this (and one period) between two samples: some are missing.
    stall_s
        Silence after which the network is asked what became of the sender.

    Raises
    ------
    ValueError
        Nothing says which stream, or a time is not positive.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    markers: StreamMatch = field(default_factory=StreamMatch)
    truth: StreamMatch = field(default_factory=StreamMatch)
    unit: str = ""
    timeout_s: float = 5.0
    gap_s: float = 0.25
    stall_s: float = 0.5

    def __post_init__(self) -> None:
        if not self.match:
            raise ValueError("say which LSL stream: give its name, type or source_id")
        for what in ("timeout_s", "gap_s", "stall_s"):
            if not getattr(self, what) > 0:
                raise ValueError(f"{what} must be positive, not {getattr(self, what)!r}")

    @property
    def match(self) -> StreamMatch:
        """How the stream is recognised."""
        return StreamMatch(self.name, self.type, self.source_id)

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Connect, learn the sender's clock, and start to receive.

        Raises
        ------
        DeviceNotFound
            No such stream; says which there are.
        DeviceRefused
            Several such streams, or one without numbers, a rate, or one unit.
        """
        return _LslStream(self, clock)


class _LslStream(Stream):
    def __init__(self, recipe: Lsl, clock: Clock) -> None:
        self._clock = clock
        self._stall_s = recipe.stall_s
        info = resolve_one(recipe.match, recipe.timeout_s)
        found = StreamFound.of(info)
        if not found.rate_hz > 0:
            raise DeviceRefused(
                f"LSL stream {found} has no regular rate, so it is no signal to decode. If it "
                "carries markers, give it as markers = {name = …}."
            )
        self._inlet = SampleInlet(info, found.rate_hz, clock)
        description = _full_description(self._inlet.lsl, found, recipe.timeout_s)
        self._speed = description.speed
        self.signal, factors = to_signal(description, recipe.unit)
        self.identity = f"lsl:{found.source_id or found.name}"
        self._convert = _Conversion(self._inlet.values, factors)
        self._times = np.zeros(len(self._inlet.stamps))
        self._markers = self._truth = None
        if recipe.markers:
            self._markers = MarkerStream(resolve_one(recipe.markers, recipe.timeout_s))
        if recipe.truth:
            truth_info = resolve_one(recipe.truth, recipe.timeout_s)
            self._truth = TruthStream(truth_info, recipe.timeout_s, clock)
            self.truth_signal = self._truth.signal
        # Side streams open first: what they send from now on belongs to samples yet to come.
        side = [s for s in (self._markers, self._truth) if s is not None]
        self._side_clocks = {s.found.host: s.lsl for s in side if s.found.host != found.host}
        estimates = {
            host: _offset(lsl, host, recipe.timeout_s) for host, lsl in self._side_clocks.items()
        }
        for stream in side:
            _open(stream.lsl, stream.found, recipe.timeout_s)
        estimates[found.host] = _offset(self._inlet.lsl, found.host, recipe.timeout_s)
        _open(self._inlet.lsl, found, recipe.timeout_s)
        real_rate_hz = found.rate_hz * self._speed
        self._inlet.set_real_rate(real_rate_hz)
        self._host = found.host
        clocks = {**self._side_clocks, found.host: self._inlet.lsl}
        self._watch = SourceWatch(description, clocks, estimates)
        offset_s = self._watch.offsets_s[found.host]
        self._timeline = Timeline(real_rate_hz, recipe.gap_s / self._speed, offset_s)
        # A stream that is forgotten without being closed takes its thread with it.
        weakref.finalize(self, self._watch.close).atexit = False
        self._is_open = True
        now_s = clock.now()
        self._rate = RateMeter(now_s)
        self._heard_s = self._steered_s = self._looked_s = now_s
        self._read_until_s = -math.inf
        self._n_held = 0
        self._pieces: list[Chunk] = []
        self._given = slice(0, 0)
        self._n_samples = self._n_restarts = 0

    def read(self, timeout_s: float) -> Chunk | None:
        if self._pieces:
            return self._give(self._pieces.pop(0))
        if not self._is_open:
            raise DeviceLost(f"{self.identity} was closed")
        if self._n_held:
            return self._read_held(timeout_s)
        n = self._inlet.pull(timeout_s)
        now_s = self._clock.now()
        if n == 0:
            self._mind_silence(now_s)
            return None
        silence_s, self._heard_s = now_s - self._heard_s, now_s
        if silence_s > self._stall_s and self._inlet.lsl.was_clock_reset():
            self._n_held = n  # from another outlet: not a sample passes before it is known
            self._watch.verify()
            return self._read_held(timeout_s)
        return self._give(self._make(n, now_s))

    def sender_times(self) -> NDArray[np.float64]:
        return self._inlet.stamps[self._given]

    def take_markers(self) -> tuple[Marker, ...]:
        if self._markers is None:
            return ()
        offset_s = self._offset_of(self._markers.found.host)
        return tuple(Marker(stamp + offset_s, label) for stamp, label in self._markers.take())

    def take_truth(self) -> Chunk | None:
        if self._truth is None:
            return None
        return self._truth.take(self._offset_of(self._truth.found.host), self._read_until_s)

    def has_sound_times(self) -> bool:
        return self._timeline.is_sound(self._clock.now())

    def health(self) -> Health:
        return Health(
            effective_rate_hz=self._rate.rate_hz(self._clock.now()) / self._speed,
            clock_offset_s=self._timeline.offset_s,
            n_samples=self._n_samples,
            n_gaps=self._timeline.n_gaps + self._n_restarts,
            n_lost=self._timeline.n_lost,
            n_bad=self._convert.n_bad,
            n_jumps=self._timeline.n_jumps,
        )

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._watch.close()
            for stream in (self._inlet, self._markers, self._truth):
                if stream is not None:
                    stream.lsl.close_stream()

    def _read_held(self, timeout_s: float) -> Chunk | None:
        if not self._watch.is_verified(timeout_s):
            return None
        n, self._n_held = self._n_held, 0
        self._timeline.restart(self._watch.offsets_s[self._host])
        return self._give(self._make(n, self._clock.now(), is_restart=True))

    def _make(self, n: int, now_s: float, is_restart: bool = False) -> Chunk:
        """Make a chunk of the first `n` samples pulled; what lies behind a gap waits its turn."""
        self._rate.feed(n, now_s)
        self._n_samples += n
        if now_s - self._steered_s > 1.0:
            self._timeline.steer(self._watch.offsets_s[self._host], now_s - self._steered_s)
            self._steered_s = now_s
        times, values = self._times[:n], self._convert(n)
        gaps = self._timeline.place(self._inlet.stamps[:n], now_s, times)
        self._given = slice(0, 0)
        if is_restart and (not gaps or gaps[0] != 0):
            gaps = (0, *gaps)
            self._n_restarts += 1
        if not gaps:
            return Chunk(times, values)
        return self._cut(gaps, times, values)

    def _cut(
        self, gaps: tuple[int, ...], times: NDArray[np.float64], values: NDArray[np.float32]
    ) -> Chunk:
        edges = sorted({0, *gaps, len(times)})
        pieces = [
            Chunk(times[start:stop], values[start:stop], gap=start in gaps)
            for start, stop in pairwise(edges)
        ]
        self._pieces = pieces[1:]
        return pieces[0]

    def _give(self, chunk: Chunk) -> Chunk:
        self._given = slice(self._given.stop, self._given.stop + len(chunk))
        self._read_until_s = float(chunk.times[-1])
        return chunk

    def _mind_silence(self, now_s: float) -> None:
        if now_s - self._heard_s > self._stall_s and now_s - self._looked_s > self._stall_s:
            self._looked_s = now_s
            self._watch.look()

    def _offset_of(self, host: str) -> float:
        """Return what brings a side stream's stamps into this stream's time."""
        if host == self._host:
            return self._timeline.offset_s
        return self._watch.offsets_s[host]


class _Conversion:
    """Brings what was pulled to float32 in the signal's unit, and counts what is no number."""

    def __init__(self, raw: NDArray[Any], factors: NDArray[np.float32]) -> None:
        self._raw = raw
        self._is_integer = raw.dtype.kind == "i"
        self._factors = None if np.all(factors == 1.0) else factors
        in_place = raw.dtype == np.float32
        self._values = raw if in_place else np.zeros(raw.shape, dtype=np.float32)
        self._is_copy = not in_place
        self.n_bad = 0

    def __call__(self, n: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self._values[:n]
        if self._is_copy:
            np.copyto(values, self._raw[:n], casting="unsafe")
        if self._factors is not None:
            np.multiply(values, self._factors, out=values)
        # One value that is not finite makes the sum so; only then is it worth while to count.
        if not self._is_integer and not math.isfinite(float(np.add.reduce(values, axis=None))):
            self.n_bad += int(values.size - np.count_nonzero(np.isfinite(values)))
        return values


def _full_description(inlet: Any, found: StreamFound, timeout_s: float) -> Description:
    util = load_pylsl().util
    try:
        return Description.of(inlet.info(timeout_s))
    except (util.TimeoutError, util.LostError) as error:
        raise DeviceNotFound(_silent(found, timeout_s)) from error


def _offset(inlet: Any, host: str, timeout_s: float) -> OffsetEstimate:
    util = load_pylsl().util
    try:
        return estimate_offset(inlet, timeout_s)
    except (util.TimeoutError, util.LostError) as error:
        raise DeviceNotFound(
            f"{host!r} does not answer LSL's clock requests (UDP) within {timeout_s:g} s. Open "
            "UDP ports 16572-16604 in its firewall; `bci doctor` tests it."
        ) from error


def _open(inlet: Any, found: StreamFound, timeout_s: float) -> None:
    util = load_pylsl().util
    try:
        inlet.open_stream(timeout_s)
    except (util.TimeoutError, util.LostError) as error:
        raise DeviceNotFound(_silent(found, timeout_s)) from error


def _silent(found: StreamFound, timeout_s: float) -> str:
    return (
        f"LSL stream {found} is announced but does not answer within {timeout_s:g} s. Its sender "
        "hangs, or a firewall blocks TCP ports 16572-16604; `bci doctor` tests it."
    )
