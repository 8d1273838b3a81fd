"""The stream of every simulated device: fixed blocks are made, paced pieces are handed out.

The samples are made in blocks whose size depends on nothing but the device, so that the same seed
gives the same samples to the bit, whatever the chunk size, the speed, or the timing of the reads.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.clock import Clock
from devices.device import EndOfStream, Health, Stream
from devices.pacing import Pacer
from devices.signal import Chunk, Marker, Signal

__all__ = ["Block", "Pace", "SimulatedStream", "Source"]

_KEPT_TRUTH_ROWS = 1 << 16
_KEPT_MARKERS = 1 << 12


@dataclass(frozen=True, slots=True)
class Block:
    """Samples that were made together, and what was meant by them.

    Parameters
    ----------
    values
        (n, n_channels) float32.
    truth
        (m, n_truth) float32, the truth's samples that fall into the same time.
    markers
        Index into the block, and label; in order.
    """

    values: NDArray[np.float32]
    truth: NDArray[np.float32]
    markers: tuple[tuple[int, str], ...] = ()


class Source(Protocol):
    """Makes the samples, block after block, from the first one on.

    Attributes
    ----------
    signal, truth_signal
        What a block's values and truth are. The truth's rate divides the signal's.
    block
        Samples in every block; holds a whole number of the truth's samples.
    is_live
        True when what comes depends on what is meant at that very moment, so that a block may
        not be made before its time has come.
    """

    signal: Signal
    truth_signal: Signal
    block: int
    is_live: bool

    def make(self, start_s: float) -> Block:
        """Make the next block.

        Parameters
        ----------
        start_s
            The time of the stream's start on the clock; a live source needs it to place what it
            is told.
        """

    def close(self) -> None:
        """Let go of what the source listens to."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, in what pieces and how long a simulated device runs.

    Parameters
    ----------
    speed
        How many times faster than real; ``inf``: as fast as it can.
    chunk_s
        Length of the pieces that `read` returns, in seconds; at least one sample.
    duration_s
        When it ends, in seconds of its own time; ``inf``: never.

    Raises
    ------
    ValueError
        On a value that is not positive, or an endless chunk.
    """

    speed: float
    chunk_s: float
    duration_s: float

    def __post_init__(self) -> None:
        for name in ("speed", "chunk_s", "duration_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if not np.isfinite(self.chunk_s):
            raise ValueError("chunk_s must be finite: it is the length of each piece in seconds")

    def chunk(self, rate_hz: float) -> int:
        """Return how many samples a piece has."""
        return max(1, round(self.chunk_s * rate_hz))


class SimulatedStream(Stream):
    """Hands out a source's samples when they are due.

    Parameters
    ----------
    source
        Makes the samples.
    pace
        How fast, in what pieces, how long.
    clock
        Paces it. Sample `i` is stamped ``start + (i + 1) / (rate_hz · speed)``: the end of its
        period, the moment at which it is complete; `start` is the time of the first read. At
        speed ``inf`` the stamps run from 0 as they would in real time.
    identity
        Names the device and everything that determines its samples.

    Notes
    -----
    Markers and truth wait until they are taken, but not for ever: the oldest are let go after
    4,096 markers and 65,536 samples of truth.
    """

    def __init__(self, source: Source, pace: Pace, clock: Clock, identity: str) -> None:
        self.signal = source.signal
        self.truth_signal = source.truth_signal
        self.identity = identity
        self._source = source
        rate_hz, n_chunk = self.signal.rate_hz, pace.chunk(self.signal.rate_hz)
        self._pacer = Pacer(clock, pace.speed, rate_hz)
        self._is_paced = np.isfinite(pace.speed)
        self._stamps_per_s = rate_hz * (pace.speed if self._is_paced else 1.0)
        self._n_end = pace.duration_s * rate_hz
        self._values = np.empty((n_chunk, self.signal.n_channels), np.float32)
        self._ticks = np.arange(1, n_chunk + 1, dtype=np.float64)
        self._block: Block | None = None
        self._n_block = 0
        self._n_made = 0
        self._n_filled = 0
        self._n_read = 0
        self._start_s: float | None = None
        self._markers: deque[tuple[int, str]] = deque(maxlen=_KEPT_MARKERS)
        self._truth: deque[NDArray[np.float32]] = deque()
        self._truth_first = 0
        self._truth_held = 0
        self._is_closed = False

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next piece when it is due; see `Stream.read`."""
        if self._is_closed:
            raise EndOfStream("the stream is closed")
        n = int(min(len(self._values), np.round(self._n_end - self._n_read)))
        if n <= 0:
            raise EndOfStream(f"the simulation ran for {self._n_read / self.signal.rate_hz:g} s")
        if self._start_s is None:
            self._start_s = self._pacer.due(0) if self._is_paced else 0.0
        start_s = self._start_s
        # Made ahead, so that the work does not delay the piece; a live source must wait.
        if not self._source.is_live:
            self._fill(n, start_s)
        if not self._pacer.wait_for(self._n_read + n, timeout_s):
            return None
        self._fill(n, start_s)
        times = start_s + (self._n_read + self._ticks[:n]) / self._stamps_per_s
        self._n_read += n
        self._n_filled = 0
        return Chunk(times, self._values[:n])

    def take_markers(self) -> tuple[Marker, ...]:
        """Return the markers of the samples that were read since the last call."""
        taken = []
        start_s = self._start_s or 0.0
        while self._markers and self._markers[0][0] < self._n_read:
            sample, label = self._markers.popleft()
            taken.append(Marker(start_s + (sample + 1) / self._stamps_per_s, label))
        return tuple(taken)

    def take_truth(self) -> Chunk | None:
        """Return what was meant during the samples that were read since the last call."""
        truth_signal = self._source.truth_signal
        share = truth_signal.rate_hz / self.signal.rate_hz
        due = int(self._n_read * share + 1e-9)
        n = due - self._truth_first
        if n <= 0:
            return None
        rows = np.concatenate(self._truth)
        ticks = np.arange(self._truth_first + 1, due + 1, dtype=np.float64)
        times = (self._start_s or 0.0) + ticks / (self._stamps_per_s * share)
        self._truth = deque([rows[n:]])
        self._truth_first, self._truth_held = due, len(rows) - n
        return Chunk(times, rows[:n])

    def health(self) -> Health:
        """Return how much was read; nothing is ever missing."""
        rate_hz = self.signal.rate_hz if self._n_read else 0.0
        return Health(effective_rate_hz=rate_hz, n_samples=self._n_read)

    def close(self) -> None:
        """Stop."""
        if not self._is_closed:
            self._is_closed = True
            self._source.close()

    def _fill(self, n: int, start_s: float) -> None:
        while self._n_filled < n:
            if self._block is None or self._n_block == len(self._block.values):
                self._make(start_s)
            assert self._block is not None
            take = min(n - self._n_filled, len(self._block.values) - self._n_block)
            piece = self._block.values[self._n_block : self._n_block + take]
            self._values[self._n_filled : self._n_filled + take] = piece
            self._n_filled += take
            self._n_block += take

    def _make(self, start_s: float) -> None:
        block = self._source.make(start_s)
        self._markers.extend((self._n_made + at, label) for at, label in block.markers)
        self._n_made += len(block.values)
        self._n_block = 0
        self._block = block
        self._truth.append(block.truth)
        self._truth_held += len(block.truth)
        while self._truth_held - len(self._truth[0]) >= _KEPT_TRUTH_ROWS:
            n = len(self._truth.popleft())
            self._truth_first += n
            self._truth_held -= n
