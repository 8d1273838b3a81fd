"""Writes XDF 1.0, append-only: what is written is never touched again.

A file is ``XDF:`` and then chunks, each with its length, a tag and a content. Every chunk is
encoded whole in one buffer and handed over in one piece, so whatever takes the pieces (a file, a
recorder that keeps checksums) can treat them as units. Encoding is vectorised over samples and
channels.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_encoder import COUNT, HEAD, SAMPLES_AT, Counts, Encoder
from devices.recording.xdf_format import (
    BOUNDARY,
    DTYPES,
    MAGIC,
    Format,
    Tag,
    XdfStream,
    small_chunk,
)
from devices.recording.xdf_xml import Desc, file_header, stream_header

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

_LONGEST_CHUNK = 2**32 - 1


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
        self._encoders: dict[int, Encoder] = {}
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

    def add_stream(self, stream: XdfStream, header: bytes | None = None) -> int:
        """Write the stream's header, and return the number by which it is written to.

        `header` is the header's XML where somebody else has made it, an LSL sender; `stream` must
        be what it describes.
        """
        header = header or stream_header(
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
        self._encoders[number] = Encoder(stream)
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
        self._buffer[SAMPLES_AT] = 8
        encoder.encode(self._buffer[SAMPLES_AT:size], values, times)
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
        size = SAMPLES_AT + len(content)
        self._reserve(size)
        self._buffer[SAMPLES_AT:size] = np.frombuffer(content, np.uint8)
        self._send_samples(stream, len(texts), size)
        encoder.count(len(texts), np.asarray(times, np.float64))

    def write_clock_offset(self, stream: int, time_s: float, offset_s: float) -> None:
        """Note that at `time_s`, on the sender's clock, ours was `offset_s` ahead of it."""
        self._chunk(Tag.CLOCK_OFFSET, stream, struct.pack("<dd", time_s, offset_s))
        self._encoders[stream].count_offset(time_s, offset_s)

    def write_boundary(self) -> None:
        """Write a mark at which a damaged file can be picked up again."""
        self._chunk(Tag.BOUNDARY, None, BOUNDARY)
        self._since_boundary = 0

    def counts(self) -> dict[int, Counts]:
        """Return what the footers would say now, for `recall`."""
        return {number: encoder.counts for number, encoder in self._encoders.items()}

    def recall(self, counts: dict[int, Counts]) -> None:
        """Forget what was written since `counts`: whoever takes the pieces has dropped it."""
        for number, kept in counts.items():
            self._encoders[number].counts = kept

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
        HEAD.pack_into(self._buffer.data, 0, 4, size - 5, Tag.SAMPLES, stream)
        COUNT.pack_into(self._buffer.data, HEAD.size, 4, n_samples)
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
        if size > _LONGEST_CHUNK:
            raise ValueError(f"a chunk of {size} bytes is too long; write it in pieces")
        if size > len(self._buffer):
            self._buffer = np.empty(1 << (size - 1).bit_length(), np.uint8)
