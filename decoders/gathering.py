"""Recordings run through the live steps: the rows that a decoder is fitted on."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Event
from decoders.lost_channels import OthersFit
from decoders.pipeline import Extraction, Pipeline
from decoders.stage import Mismatch
from devices.clock import MONOTONIC, Clock
from devices.device import Device, EndOfStream, Stream
from devices.signal import Chunk, Marker, Signal

__all__ = [
    "Gathered",
    "LeftOut",
    "Progress",
    "Truth",
    "gather",
    "head",
    "open_ending",
    "read_all",
    "same_source",
]

Progress = Callable[[str, float], None]
"""Is told what is being done, and how many seconds of signal (or parts of 1) are done."""

_READ_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Truth:
    """What was meant or done: a few columns of values at their own times.

    Parameters
    ----------
    signal
        What the columns are.
    times, values
        (n,) float64 seconds, ascending within a stretch; (n, n_channels) float64.
    """

    signal: Signal
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(
        self, times: NDArray[np.float64], slack_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the newest value at each of `times`, and whether there is a fresh one.

        Causal: a value counts from its time on, or up to `slack_s` (half a sample) before. It is
        fresh for one and a half of its own periods.
        """
        newest = np.searchsorted(self.times, times + slack_s, side="right") - 1
        found = newest >= 0
        newest = np.maximum(newest, 0)
        age_s = times - self.times[newest]
        return self.values[newest], found & (age_s < 1.5 / self.signal.rate_hz + slack_s)


@dataclass(frozen=True, slots=True)
class Gathered:
    """One recording, through the steps.

    Parameters
    ----------
    source, picked, features
        What the device gives, what goes into the steps, and what comes out.
    rows
        (n, n_features) float64, each the last row of one block.
    samples, times
        (n,) of each row: index of its last sample, and its time in seconds.
    stretches
        (n,) int64: rows without a gap between them share a number.
    events, event_stretches
        Markers bound to samples, and the stretch that each lies in.
    markers
        Every marker's label, in order, bound or not.
    truth
        What was meant, where the device knows.
    others
        What channels say of each other, where the session wants to fill in lost ones.
    """

    source: Signal
    picked: Signal
    features: Signal
    rows: NDArray[np.float64]
    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    stretches: NDArray[np.int64]
    events: tuple[Event, ...]
    event_stretches: tuple[int, ...]
    markers: tuple[str, ...]
    truth: Truth | None
    others: OthersFit | None = None


def open_ending(device: Device, clock: Clock = MONOTONIC) -> Stream:
    """Open a device that is to be read to its end.

    Raises
    ------
    DeviceError
        It cannot be opened.
    Mismatch
        It says of itself that it never ends.
    """
    if getattr(device, "duration_s", 0.0) == math.inf:
        raise Mismatch("this simulator never ends; give it a duration_s")
    if getattr(device, "loop", False):
        raise Mismatch("a recording that loops never ends; set loop = false")
    return device.open(clock)


def read_all(stream: Stream) -> Iterator[tuple[Chunk, tuple[Marker, ...], Chunk | None]]:
    """Yield what a stream gives, to its end: samples, markers and truth read with them.

    Raises
    ------
    DeviceError
        It cannot go on.
    Mismatch
        It gives nothing for so long that it is no recording.
    """
    while True:
        try:
            chunk = stream.read(_READ_TIMEOUT_S)
        except EndOfStream:
            return
        if chunk is None:
            raise Mismatch(
                f"{stream.identity or 'the device'} gave no sample for {_READ_TIMEOUT_S:g} s; "
                "use a recording, or a simulator with speed = inf and an end"
            )
        yield chunk, stream.take_markers(), stream.take_truth()


class LeftOut:
    """Counts the blocks of a recording that cannot be used, to warn of them once."""

    def __init__(self) -> None:
        self._n_blocks = 0
        self._channels: Counter[str] = Counter()

    def add(self, bad_channels: tuple[str, ...]) -> None:
        """Take one block in: the channels that make it useless; none, where it is not."""
        self._n_blocks += bool(bad_channels)
        self._channels.update(bad_channels)

    def warn(self, source: str) -> None:
        """Say what was left out of `source`, if anything was."""
        if self._n_blocks:
            channels = ", ".join(channel for channel, _ in self._channels.most_common())
            _log.warning(
                "%s: %d blocks are left out, with the trials that they are in: values of %s are "
                "not finite, or never change. Leave the channels out under [blocks], or repair the "
                "recording.",
                source,
                self._n_blocks,
                channels,
            )


def gather(device: Device, pipeline: Pipeline, progress: Progress | None = None) -> Gathered:
    """Run one recording through the very steps that run live.

    Raises
    ------
    DeviceError
        It cannot be opened, or read to its end.
    Mismatch
        It does not suit the steps.
    """
    with open_ending(device) as stream:
        return _Gathering(pipeline, stream, progress).run()


class _Gathering:
    def __init__(self, pipeline: Pipeline, stream: Stream, progress: Progress | None) -> None:
        self._stream = stream
        self._extraction: Extraction = pipeline.extract(stream.signal)
        self._progress = progress
        self._rows: list[NDArray[np.float64]] = []
        self._at: list[tuple[int, float, int]] = []
        self._events: list[Event] = []
        self._event_stretches: list[int] = []
        self._markers: list[str] = []
        self._truth: list[Chunk] = []
        self._stretch = 0
        self._first_s: float | None = None
        self._left_out = LeftOut()
        recipe = pipeline.lost_channels
        self._others = (
            None
            if recipe is None or recipe.policy == "refuse"
            else OthersFit(self._extraction.signal.n_channels)
        )

    def run(self) -> Gathered:
        for chunk, markers, truth in read_all(self._stream):
            self._markers += [m.label for m in markers]
            if truth is not None:
                self._truth.append(Chunk(truth.times.copy(), truth.values.astype(np.float64)))
            self._take(chunk, markers)
        self._left_out.warn(self._stream.identity)
        return self._gathered()

    def _take(self, chunk: Chunk, markers: tuple[Marker, ...]) -> None:
        for block, features, found in self._extraction.feed(chunk, markers):
            self._left_out.add(tuple(found.reasons))
            if self._others is not None:
                self._others.add(block.chunk, found)
            moment = features.moment
            self._stretch += features.gap
            self._events += moment.events
            self._event_stretches += [self._stretch] * len(moment.events)
            if len(features.chunk):
                self._rows.append(features.chunk.values[-1].astype(np.float64))
                self._at.append((moment.sample, moment.time_s, self._stretch))
        if self._progress is not None:
            if self._first_s is None:
                self._first_s = float(chunk.times[0])
            self._progress("reading", float(chunk.times[-1]) - self._first_s)

    def _gathered(self) -> Gathered:
        features = self._extraction.features
        samples, times, stretches = zip(*self._at, strict=True) if self._at else ((), (), ())
        return Gathered(
            source=self._stream.signal,
            picked=self._extraction.signal,
            features=features,
            rows=np.array(self._rows).reshape(len(self._rows), features.n_channels),
            samples=np.array(samples, np.int64),
            times=np.array(times, np.float64),
            stretches=np.array(stretches, np.int64),
            events=tuple(self._events),
            event_stretches=tuple(self._event_stretches),
            markers=tuple(self._markers),
            truth=self._collected_truth(),
            others=self._others,
        )

    def _collected_truth(self) -> Truth | None:
        signal = self._stream.truth_signal
        if signal is None or not self._truth:
            return None
        return Truth(
            signal,
            np.concatenate([c.times for c in self._truth]),
            np.concatenate([c.values for c in self._truth]).astype(np.float64),
        )


def same_source(gathered: Sequence[Gathered]) -> Signal:
    """Return what all recordings have in common: what goes into the steps.

    Raises
    ------
    Mismatch
        They differ; says both values.
    """
    first = gathered[0].picked
    for number, other in enumerate(gathered[1:], 2):
        signal = other.picked
        if signal != first:
            raise Mismatch(
                f"recording 1 has {first.rate_hz:g} Hz, {first.unit} on {first.n_channels} "
                f"channels ({', '.join(first.channels)}); recording {number} has "
                f"{signal.rate_hz:g} Hz, {signal.unit} on {signal.n_channels} "
                f"({', '.join(signal.channels)}). Name the channels to use under [blocks]"
            )
    return first


def head(gathered: Gathered, seconds: float) -> Gathered:
    """Return the first seconds of a recording: trials that end in them, rows that lie in them."""
    last = round(seconds * gathered.picked.rate_hz)
    kept = gathered.samples <= last
    early = [event.sample <= last for event in gathered.events]
    events = zip(gathered.events, gathered.event_stretches, early, strict=True)
    found = [(event, stretch) for event, stretch, is_early in events if is_early]
    return replace(
        gathered,
        rows=gathered.rows[kept],
        samples=gathered.samples[kept],
        times=gathered.times[kept],
        stretches=gathered.stretches[kept],
        events=tuple(event for event, _ in found),
        event_stretches=tuple(stretch for _, stretch in found),
    )
