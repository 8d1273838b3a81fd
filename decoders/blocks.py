"""Chunks, however the network cut them, re-cut into blocks of exactly `hop` samples.

Blocks are counted from the first sample of the run, so live, replayed and offline runs see the
same ones. The cut copies each sample once, picks the channels and widens to float32 on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Block", "Blocks", "hop_samples", "pick"]


@dataclass(frozen=True, slots=True)
class Block:
    """`hop` consecutive samples.

    Parameters
    ----------
    sample
        Index of the last of them, counted from the first sample of the run.
    chunk
        The samples; ``chunk.gap`` is True on the first block after missing samples. They hold
        until the next block is cut.
    """

    sample: int
    chunk: Chunk


def hop_samples(hop_s: float, rate_hz: float) -> int:
    """Return the whole number of samples nearest to `hop_s`.

    Raises
    ------
    Mismatch
        It would be less than one sample.
    """
    hop = round(hop_s * rate_hz)
    if hop < 1:
        raise Mismatch(
            f"hop_s = {hop_s} s is less than one sample at {rate_hz:g} Hz; "
            f"use at least {1 / rate_hz:.6g} s"
        )
    return hop


def pick(signal: Signal, channels: Sequence[str]) -> Signal:
    """Return `signal` with only `channels`, in their order; no channels: all of them.

    Raises
    ------
    Mismatch
        The signal lacks some of them.
    """
    if not channels:
        return signal
    if missing := [c for c in channels if c not in signal.channels]:
        raise Mismatch(
            f"the stream lacks {len(missing)} of {len(channels)} channels: "
            f"{', '.join(missing)}; it has {', '.join(signal.channels)}"
        )
    return Signal(signal.rate_hz, tuple(channels), signal.unit)


class Blocks:
    """Cuts one stream into blocks.

    Parameters
    ----------
    signal
        What comes in.
    hop
        Samples a block.
    channels
        Which channels, in which order; empty: all.

    Attributes
    ----------
    signal
        What goes out.
    """

    def __init__(self, signal: Signal, hop: int, channels: Sequence[str] = ()) -> None:
        self.signal = pick(signal, channels)
        self._columns = _columns(signal, self.signal)
        self._hop = hop
        self._times = np.empty(hop)
        self._values = np.empty((hop, self.signal.n_channels), np.float32)
        self._filled = 0
        self._seen = 0
        self._gap = False

    def cut(self, chunk: Chunk) -> Iterator[Block]:
        """Take the chunk in and yield the blocks that it completes.

        After a gap the begun block is dropped: a block never spans missing samples.
        """
        if chunk.gap:
            self._filled = 0
            self._gap = True
        begin, n = 0, len(chunk)
        while begin < n:
            end = min(n, begin + self._hop - self._filled)
            self._copy(chunk, begin, end)
            begin = end
            if self._filled == self._hop:
                self._filled = 0
                block = Block(self._seen - 1, Chunk(self._times, self._values, self._gap))
                self._gap = False
                yield block

    def _copy(self, chunk: Chunk, begin: int, end: int) -> None:
        to = slice(self._filled, self._filled + end - begin)
        self._times[to] = chunk.times[begin:end]
        self._values[to] = chunk.values[begin:end, self._columns]
        self._filled = to.stop
        self._seen += end - begin


def _columns(whole: Signal, part: Signal) -> slice | list[int]:
    """Return where the channels of `part` are in `whole`; a slice, where one does."""
    at = [whole.channels.index(c) for c in part.channels]
    if at == list(range(at[0], at[0] + len(at))):
        return slice(at[0], at[0] + len(at))
    return at
