"""Writes XDF 1.0, append-only: what is written is never touched again.

A file is ``XDF:`` and then chunks, each with its length, a tag and a content. Every chunk is
encoded whole in one buffer and handed over in one piece, so whatever takes the pieces (a file, a
recorder that keeps checksums) can treat them as units. Encoding is vectorised over samples and
channels.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_xml import Desc, file_header, stream_footer, stream_header

__all__ = [
    "BOUNDARY",
    "DTYPES",
    "MAGIC",
    "Desc",
    "Format",
    "Tag",
    "XdfStream",
    "XdfWriter",
    "small_chunk",
]

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")

Format = Literal["int8", "int16", "int32", "int64", "float32", "double64", "string"]

DTYPES: dict[str, np.dtype[np.generic]] = {
    **{f: np.dtype(f).newbyteorder("<") for f in ("int8", "int16", "int32", "int64", "float32")},
    "double64": np.dtype("<f8"),
}
_HEAD = struct.Struct("<BIHI")  # bytes of the length, length, tag, stream
_COUNT = struct.Struct("<BI")  # bytes of the count, count
_STAMP = struct.Struct("<Bd")
_SHORT = struct.Struct("<BB")
_SAMPLES_AT = _HEAD.size + _COUNT.size
_LONGEST = 2**32 - 1


class Tag:
    """What a chunk holds; all but the file header and the boundary belong to a stream."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


@dataclass(frozen=True)
class XdfStream:
    """What a stream of the file is.

    Parameters
    ----------
    name, kind
        Its name, and what XDF calls its type: ``"EEG"``, ``"Markers"`` …
    format
        How each value is stored.
    channels
        Channel labels.
    units
        One for all channels, or one each; empty: none is stated.
    rate_hz
        Nominal rate; 0 for samples that come when they come.
    source_id
        Identity of the source.
    desc
        Whatever else is known (device, reference, filters …): nested mappings, lists for elements
        that occur several times, and texts. Goes into ``<desc>`` beside the channels.
    """

    name: str
    kind: str
    format: Format
    channels: tuple[str, ...]
    units: str | tuple[str, ...] = ""
    rate_hz: float = 0.0
    source_id: str = ""
    desc: Mapping[str, Desc] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError(f"stream {self.name!r} needs at least one channel")
        if self.format != "string" and self.format not in DTYPES:
            raise ValueError(f"XDF has no format {self.format!r}; it has {', '.join(DTYPES)}")
        if not (np.isfinite(self.rate_hz) and self.rate_hz >= 0):
            raise ValueError(f"rate_hz must be 0 or positive, not {self.rate_hz!r}")
        if not isinstance(self.units, str) and len(self.units) != len(self.channels):
            raise ValueError(f"{len(self.units)} units for {len(self.channels)} channels")


class XdfWriter:
    """Writes one file.

    Parameters
    ----------
    put
        Takes each piece, in order: first ``XDF:``, then one whole chunk a call. The piece holds
        until it returns.
    boundary_bytes
        A boundary chunk, at which a damaged file can be picked up again, is written after at
        most this many bytes (and whenever `write_boundary` is called).
    created
        Wall-clock time for the header; now, when it is None.
    """

    def __init__(
        self,
        put: Callable[[memoryview], object],
        boundary_bytes: int = 4 << 20,
        created: datetime | None = None,
    ) -> None:
        self._put = put
        self._boundary_bytes = boundary_bytes
        self._since_boundary = 0
        self._encoders: dict[int, _Encoder] = {}
        self._buffer = np.empty(1 << 16, np.uint8)
        self._file: IO[bytes] | None = None
        self._ended = False
        put(memoryview(MAGIC))
        self._chunk(Tag.FILE_HEADER, None, file_header(created or datetime.now(UTC)))

    @classmethod
    def create(cls, path: Path | str, boundary_bytes: int = 4 << 20) -> XdfWriter:
        """Start a new file.

        Raises
        ------
        FileExistsError
            Nothing is ever overwritten.
        """
        file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by `close`

        def put(piece: memoryview) -> None:
            while piece:
                piece = piece[file.write(piece) :]

        writer = cls(put, boundary_bytes)
        writer._file = file
        return writer

    def add_stream(self, stream: XdfStream) -> int:
        """Write the stream's header, and return the number by which it is written to."""
        header = stream_header(
            name=stream.name,
            kind=stream.kind,
            format_=stream.format,
            channels=stream.channels,
            units=stream.units,
            rate_hz=stream.rate_hz,
            source_id=stream.source_id,
            desc=stream.desc,
        )
        number = len(self._encoders) + 1
        self._encoders[number] = _Encoder(stream)
        self._chunk(Tag.STREAM_HEADER, number, header)
        return number

    def write(
        self, stream: int, values: NDArray[np.generic], times: NDArray[np.float64] | float
    ) -> None:
        """Write one chunk of numbers.

        Parameters
        ----------
        stream
            What `add_stream` returned.
        values
            (n, n_channels), of the stream's format; no samples write no chunk.
        times
            (n,) float64: the stamp of every sample, in seconds. Or the first one's alone: readers
            then reckon the others from the nominal rate.

        Raises
        ------
        ValueError
            The values are of another format or shape; nothing was written.
        """
        encoder = self._encoders[stream]
        if not len(values):
            return
        size = encoder.size(values, times)
        self._mark_when_due()
        self._reserve(size)
        self._buffer[_SAMPLES_AT] = 8
        encoder.encode(self._buffer[_SAMPLES_AT:size], values, times)
        self._send_samples(stream, len(values), size)
        encoder.count(len(values), times)

    def write_texts(
        self,
        stream: int,
        texts: Sequence[str | Sequence[str]],
        times: NDArray[np.float64] | Sequence[float],
    ) -> None:
        """Write one chunk of texts: one a sample, or one a channel for each sample.

        Raises
        ------
        ValueError
            The stream holds numbers, or the counts do not agree; nothing was written.
        """
        encoder = self._encoders[stream]
        if not len(texts):
            return
        content = encoder.encode_texts(texts, times)
        self._mark_when_due()
        size = _SAMPLES_AT + len(content)
        self._reserve(size)
        self._buffer[_SAMPLES_AT:size] = np.frombuffer(content, np.uint8)
        self._send_samples(stream, len(texts), size)
        encoder.count(len(texts), np.asarray(times, np.float64))

    def write_clock_offset(self, stream: int, time_s: float, offset_s: float) -> None:
        """Note that at `time_s`, on the sender's clock, ours was `offset_s` ahead of it."""
        self._chunk(Tag.CLOCK_OFFSET, stream, struct.pack("<dd", time_s, offset_s))
        self._encoders[stream].offsets.append((time_s, offset_s))

    def write_boundary(self) -> None:
        """Write a mark at which a damaged file can be picked up again."""
        self._chunk(Tag.BOUNDARY, None, BOUNDARY)
        self._since_boundary = 0

    def close(self) -> None:
        """Write the footer of every stream, and close the file; harmless when repeated."""
        if not self._ended:
            self._ended = True
            for number, encoder in self._encoders.items():
                self._chunk(Tag.STREAM_FOOTER, number, encoder.footer())
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send_samples(self, stream: int, n_samples: int, size: int) -> None:
        _HEAD.pack_into(self._buffer.data, 0, 4, size - 5, Tag.SAMPLES, stream)
        _COUNT.pack_into(self._buffer.data, _HEAD.size, 4, n_samples)
        self._send(size)

    def _chunk(self, tag: int, stream: int | None, content: bytes) -> None:
        piece = small_chunk(tag, stream, content)
        self._reserve(len(piece))
        self._buffer[: len(piece)] = np.frombuffer(piece, np.uint8)
        self._send(len(piece))

    def _send(self, size: int) -> None:
        self._put(self._buffer.data[:size])
        self._since_boundary += size

    def _mark_when_due(self) -> None:
        if self._since_boundary >= self._boundary_bytes:
            self.write_boundary()

    def _reserve(self, size: int) -> None:
        if size > _LONGEST:
            raise ValueError(f"a chunk of {size} bytes is too long; write it in pieces")
        if size > len(self._buffer):
            self._buffer = np.empty(1 << (size - 1).bit_length(), np.uint8)


def small_chunk(tag: int, stream: int | None, content: bytes) -> bytes:
    """Return the bytes of a chunk that is no samples chunk; `stream` is None for those of none."""
    head = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream))
    return struct.pack("<BI", 4, len(head) + len(content)) + head + content


class _Encoder:
    """Lays out the samples of one stream, and counts them for its footer."""

    def __init__(self, stream: XdfStream) -> None:
        self._stream = stream
        self._dtype = None if stream.format == "string" else DTYPES[stream.format]
        if self._dtype is not None:
            values = ("values", self._dtype, (len(stream.channels),))
            self._stamped = np.dtype([("n", "u1"), ("time", "<f8"), values])
            self._bare = np.dtype([("n", "u1"), values])
        self.offsets: list[tuple[float, float]] = []
        self._n_samples = 0
        self._first_s = self._last_s = 0.0

    def size(self, values: NDArray[np.generic], times: NDArray[np.float64] | float) -> int:
        """Return how long the chunk will be, in bytes, and refuse what does not fit the stream."""
        width = len(self._stream.channels)
        if values.dtype != self._dtype or values.shape[1:] != (width,):
            raise ValueError(
                f"stream {self._stream.name!r} holds {self._stream.format} of {width} channels; "
                f"the values are {values.dtype} of shape {values.shape}"
            )
        if not isinstance(times, np.ndarray):
            return _SAMPLES_AT + 8 + len(values) * self._bare.itemsize
        if times.shape != values.shape[:1]:
            raise ValueError(f"{times.shape} stamps for {len(values)} samples")
        return _SAMPLES_AT + len(values) * self._stamped.itemsize

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
        if not self._n_samples:
            self._first_s = first_s
        self._n_samples += n
        self._last_s = last_s

    def footer(self) -> bytes:
        """Return the footer."""
        return stream_footer(self._first_s, self._last_s, self._n_samples, self.offsets)


def _text(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    if len(content) < 256:
        return _SHORT.pack(1, len(content)) + content
    return _COUNT.pack(4, len(content)) + content
