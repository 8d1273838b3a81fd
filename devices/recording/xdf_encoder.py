"""Lays out the samples of one XDF stream in memory, many at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_format import DTYPES, XdfStream
from devices.recording.xdf_xml import stream_footer

__all__ = ["COUNT", "HEAD", "SAMPLES_AT", "Counts", "Encoder"]

HEAD = struct.Struct("<BIHI")  # bytes of the length, length, tag, stream
COUNT = struct.Struct("<BI")  # bytes of the count, count
_STAMP = struct.Struct("<Bd")
_SHORT = struct.Struct("<BB")
SAMPLES_AT = HEAD.size + COUNT.size
"""Where the first sample begins in a chunk, whose lengths are all written with four bytes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a stream's footer says."""

    n_samples: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    offsets: tuple[tuple[float, float], ...] = ()


class Encoder:
    """Lays out the samples of one stream, and counts them for its footer."""

    def __init__(self, stream: XdfStream) -> None:
        self._stream = stream
        self._dtype = None if stream.format == "string" else DTYPES[stream.format]
        if self._dtype is not None:
            values = ("values", self._dtype, (len(stream.channels),))
            self._stamped = np.dtype([("n", "u1"), ("time", "<f8"), values])
            self._bare = np.dtype([("n", "u1"), values])
        self.counts = Counts()

    def size(self, values: NDArray[np.generic], times: NDArray[np.float64] | float) -> int:
        """Return how long the chunk will be, in bytes, and refuse what does not fit the stream."""
        width = len(self._stream.channels)
        if values.dtype != self._dtype or values.shape[1:] != (width,):
            raise ValueError(
                f"stream {self._stream.name!r} holds {self._stream.format} of {width} channels; "
                f"the values are {values.dtype} of shape {values.shape}"
            )
        if not isinstance(times, np.ndarray):
            return SAMPLES_AT + 8 + len(values) * self._bare.itemsize
        if times.shape != values.shape[:1]:
            raise ValueError(f"{times.shape} stamps for {len(values)} samples")
        return SAMPLES_AT + len(values) * self._stamped.itemsize

    def encode(
        self,
        to: NDArray[np.uint8],
        values: NDArray[np.generic],
        times: NDArray[np.float64] | float,
    ) -> None:
        """Lay the samples out in `to`, which is as long as `size` said."""
        if isinstance(times, np.ndarray):
            rows = to.view(self._stamped)
            rows["n"] = 8
            rows["time"] = times
            rows["values"] = values
            return
        to[:9] = np.frombuffer(_STAMP.pack(8, times), np.uint8)
        first = self._bare.itemsize + 8
        to[9:first] = np.ascontiguousarray(values[0]).view(np.uint8)
        rest = to[first:].view(self._bare)
        rest["n"] = 0
        rest["values"] = values[1:]

    def encode_texts(
        self,
        texts: Sequence[str | Sequence[str]],
        times: NDArray[np.float64] | Sequence[float],
    ) -> bytes:
        """Return the samples as bytes."""
        if self._dtype is not None:
            raise ValueError(f"stream {self._stream.name!r} holds {self._stream.format}, not texts")
        if len(texts) != len(times):
            raise ValueError(f"{len(times)} stamps for {len(texts)} texts")
        parts = []
        for row, time_s in zip(texts, times, strict=True):
            row = (row,) if isinstance(row, str) else row
            if len(row) != len(self._stream.channels):
                raise ValueError(f"{len(row)} texts for {len(self._stream.channels)} channels")
            parts.append(_STAMP.pack(8, time_s))
            parts += [_text(text) for text in row]
        return b"".join(parts)

    def count(self, n: int, times: NDArray[np.float64] | float) -> None:
        """Note that samples were written."""
        if isinstance(times, np.ndarray):
            first_s, last_s = float(times[0]), float(times[-1])
        else:
            rate_hz = self._stream.rate_hz
            first_s, last_s = times, times + ((n - 1) / rate_hz if rate_hz else 0.0)
        if self.counts.n_samples:
            first_s = self.counts.first_s
        self.counts = replace(
            self.counts, n_samples=self.counts.n_samples + n, first_s=first_s, last_s=last_s
        )

    def count_offset(self, time_s: float, offset_s: float) -> None:
        """Note that a clock offset was written."""
        offsets = (*self.counts.offsets, (time_s, offset_s))
        self.counts = replace(self.counts, offsets=offsets)

    def footer(self) -> bytes:
        """Return the footer."""
        counts = self.counts
        return stream_footer(counts.first_s, counts.last_s, counts.n_samples, counts.offsets)


def _text(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    if len(content) < 256:
        return _SHORT.pack(1, len(content)) + content
    return COUNT.pack(4, len(content)) + content
