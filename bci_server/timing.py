"""How long it takes: percentiles of each span of the ledger over the last minute.

All memory is allocated at start. A value falls into one of some thousand buckets, 64 to an octave,
so percentiles are right to 1.6 %; the buckets of the oldest seconds are emptied as time goes on.
"""

from __future__ import annotations

import math

import numpy as np

from bci_server.wire import Percentiles

__all__ = ["Histogram", "Timing"]

_PER_OCTAVE = 64
_FIRST_EXPONENT = -19  # 2**-20 s, about 1 µs
_N_OCTAVES = 27  # up to about 128 s
_N_BUCKETS = _PER_OCTAVE * _N_OCTAVES
_N_SLOTS = 12
_SLOT_S = 5.0


class Histogram:
    """Counts durations; forgets them after a minute.

    Parameters
    ----------
    now_s
        The time it starts at, in seconds.
    """

    def __init__(self, now_s: float) -> None:
        # Written to, or the system would give the memory page by page as time goes on.
        self._counts = np.full((_N_SLOTS, _N_BUCKETS), 0, np.int32)
        self._slot = 0
        self._slot_end_s = now_s + _SLOT_S

    def add(self, duration_s: float, now_s: float) -> None:
        """Count one duration; negative ones count as the shortest."""
        if now_s >= self._slot_end_s:
            self._turn(now_s)
        self._counts[self._slot, _bucket(duration_s)] += 1

    def percentiles(self, now_s: float) -> Percentiles | None:
        """Return the percentiles of the last minute in milliseconds; None if nothing came."""
        if now_s >= self._slot_end_s:
            self._turn(now_s)
        cumulative = self._counts.sum(axis=0).cumsum()
        total = int(cumulative[-1])
        if total == 0:
            return None
        ranks = [math.ceil(q * total) for q in (0.5, 0.99, 0.999)]
        p50, p99, p999 = (1e3 * _middle(int(b)) for b in np.searchsorted(cumulative, ranks))
        return Percentiles(p50, p99, p999)

    def _turn(self, now_s: float) -> None:
        n = 1 + int((now_s - self._slot_end_s) / _SLOT_S)
        self._slot_end_s += n * _SLOT_S
        for _ in range(min(n, _N_SLOTS)):
            self._slot = (self._slot + 1) % _N_SLOTS
            self._counts[self._slot] = 0


class Timing:
    """The spans of the engine's part of the ledger, and the deadlines it missed.

    A block misses its deadline when it is decoded later than one hop after it was received: at
    that rate the loop would fall behind.

    Parameters
    ----------
    hop_s
        Length of a block, in seconds of the clock.
    now_s
        The time it starts at.
    """

    def __init__(self, hop_s: float, now_s: float) -> None:
        self._hop_s = hop_s
        self._transport = Histogram(now_s)
        self._decoding = Histogram(now_s)
        self._total = Histogram(now_s)
        self.deadline_misses = 0

    def add(self, sampled_s: float, received_s: float, decoded_s: float) -> None:
        """Count one block."""
        self._transport.add(received_s - sampled_s, decoded_s)
        self._decoding.add(decoded_s - received_s, decoded_s)
        self._total.add(decoded_s - sampled_s, decoded_s)
        if decoded_s - received_s > self._hop_s:
            self.deadline_misses += 1

    def percentiles(self, now_s: float) -> dict[str, Percentiles]:
        """Return each span's percentiles over the last minute."""
        spans = {
            "sampled_received": self._transport.percentiles(now_s),
            "received_decoded": self._decoding.percentiles(now_s),
            "sampled_decoded": self._total.percentiles(now_s),
        }
        return {name: p for name, p in spans.items() if p is not None}


def _bucket(duration_s: float) -> int:
    mantissa, exponent = math.frexp(duration_s)
    index = (exponent - _FIRST_EXPONENT) * _PER_OCTAVE + int((mantissa - 0.5) * 2 * _PER_OCTAVE)
    if duration_s <= 0.0 or index < 0:
        return 0
    return min(index, _N_BUCKETS - 1)


def _middle(bucket: int) -> float:
    octave, part = divmod(bucket, _PER_OCTAVE)
    return math.ldexp(0.5 + (part + 0.5) / (2 * _PER_OCTAVE), octave + _FIRST_EXPONENT)
