"""Where everything is in an XDF file: one pass over the heads of its chunks, contents skipped.

Our own recordings have checksums beside them, which say where each chunk is and what is in it:
then only headers, clock offsets and footers are looked at. What the checksums do not tell of (the
end of a recording that was killed) is passed over as in any other file.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import math
import os
import struct
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recording.checksums import map_records
from devices.recording.xdf_encoder import SAMPLES_AT
from devices.recording.xdf_format import MAGIC, Tag
from devices.recording.xdf_header import MAX_XML_BYTES, XdfHeader, parse_footer, parse_header
from devices.recording.xdf_heads import XdfChunk, chunk_at, damaged, iterate_chunks, read_length

__all__ = ["Places", "StreamIndex", "XdfIndex", "index_xdf"]

#: Width of the length, length, tag, stream, width of the count, count, width of the stamp, stamp.
_USUAL = struct.Struct("<BIHIBIBd")
_USUAL_MARKS = (4, Tag.SAMPLES, 4, 8)
_USUAL_HEAD_BYTES = 2 + 4 + 5  # of the length: tag, stream, count
_SCAN_BYTES = 2**18
_MAX_OFFSET_S = 1e12


@dataclass(slots=True)
class StreamIndex:
    """Where the samples of a stream are.

    Parameters
    ----------
    header
        What the stream says of itself.
    places
        Its chunks of samples that have any, in the order of the file.
    clock_times, clock_values
        Clock offsets, in seconds: on the sender's clock, and what to add to it.
    footer_count
        Number of samples by the footer, if there is one.
    """

    header: XdfHeader
    places: Places
    clock_times: list[float] = field(default_factory=list)
    clock_values: list[float] = field(default_factory=list)
    footer_count: int | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples in all chunks."""
        return int(self.places.counts.sum())


@dataclass(frozen=True, slots=True)
class Places:
    """Chunks of samples; all arrays are (n_chunks,).

    Parameters
    ----------
    starts, offsets, stops
        int64: byte at which each begins, of its first sample, and after its last.
    counts
        int64: number of samples.
    firsts_s
        float64: stamp of the first sample in seconds; NaN where it has none.
    crcs
        uint32: CRC-32C of each chunk's bytes; None where nobody knows it.
    """

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    stops: NDArray[np.int64]
    counts: NDArray[np.int64]
    firsts_s: NDArray[np.float64]
    crcs: NDArray[np.uint32] | None = None


@dataclass(slots=True)
class _Found:
    """What `Places` is made of, while chunks are being found."""

    starts: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    stops: array[int] = field(default_factory=lambda: array("q"))
    counts: array[int] = field(default_factory=lambda: array("q"))
    firsts_s: array[float] = field(default_factory=lambda: array("d"))

    def places(self) -> Places:
        return Places(
            starts=np.array(self.starts, np.int64),
            offsets=np.array(self.offsets, np.int64),
            stops=np.array(self.stops, np.int64),
            counts=np.array(self.counts, np.int64),
            firsts_s=np.array(self.firsts_s, np.float64),
        )


def _joined(known: Places, found: Places) -> Places:
    """Put what was found behind what the checksums told; there is no checksum for all of it."""
    return Places(
        np.concatenate([known.starts, found.starts]),
        np.concatenate([known.offsets, found.offsets]),
        np.concatenate([known.stops, found.stops]),
        np.concatenate([known.counts, found.counts]),
        np.concatenate([known.firsts_s, found.firsts_s]),
    )


@dataclass(frozen=True, slots=True)
class XdfIndex:
    """All of a file.

    Parameters
    ----------
    path
        The file.
    streams
        By number, in the order of their headers.
    whole_bytes
        Where the last whole chunk ends.
    notes
        What is wrong with the file, and was mended or passed over.
    """

    path: Path
    streams: dict[int, StreamIndex]
    whole_bytes: int
    notes: tuple[str, ...]


def index_xdf(path: Path, fd: int) -> XdfIndex:
    """Index an open file.

    Raises
    ------
    DeviceRefused
        It is no XDF file, or damaged; says at which byte.
    """
    building = _Building(path, fd)
    end = building.take_records() or len(MAGIC)
    while True:
        begun = end = building.take_usual(end)
        for chunk in iterate_chunks(path, fd, end):
            building.take(chunk)
            end = chunk.stop
            if chunk.tag == Tag.SAMPLES:
                break  # many of these follow each other, more often than not
        if end == begun:
            break
    notes = building.notes
    if missing := os.fstat(fd).st_size - end:
        notes.append(
            f"the file is cut short: the last whole chunk ends at byte {end}, "
            f"and {missing} bytes after it were passed over"
        )
    streams = building.streams()
    for stream in streams.values():
        notes += stream.header.notes
    return XdfIndex(path, streams, end, tuple(notes))


class _Building:
    """An index in the making."""

    def __init__(self, path: Path, fd: int) -> None:
        self.notes: list[str] = []
        self._path, self._fd = path, fd
        self._streams: dict[int, StreamIndex] = {}
        self._found: dict[int, _Found] = {}

    def streams(self) -> dict[int, StreamIndex]:
        for number, stream in self._streams.items():
            found = self._found[number].places()
            if len(found.starts):
                has_known = len(stream.places.starts) > 0
                stream.places = _joined(stream.places, found) if has_known else found
        return self._streams

    def take_records(self) -> int | None:
        """Take what the checksums beside the file tell; return where their telling ends."""
        records = map_records(self._path)
        size = os.fstat(self._fd).st_size
        if records is None or not _tile(records, size):
            return None
        # Each column copied once: it is looked through many times.
        tags, numbers, counts = (np.array(records[name]) for name in ("tag", "stream", "n_samples"))
        starts = records["offset"].astype(np.int64)
        odd = (tags == Tag.STREAM_HEADER) | (tags == Tag.CLOCK_OFFSET) | (tags == Tag.STREAM_FOOTER)
        for start in starts[odd].tolist():
            chunk = chunk_at(self._path, self._fd, start, size)
            if chunk is None:
                raise damaged(self._path, start, "the file has changed since it was opened")
            self.take(chunk)
        is_samples = (tags == Tag.SAMPLES) & (counts > 0)
        whose = np.where(is_samples, numbers.astype(np.int64), -1)
        if unknown := set(np.unique(whose).tolist()) - {-1, *self._streams}:
            raise damaged(self._path, len(MAGIC), f"stream {min(unknown)} has no header")
        for number, stream in self._streams.items():
            at = np.flatnonzero(whose == number)
            stream.places = self._places(records, at, starts[at], stream.header)
        return int(starts[-1]) + int(records["length"][-1])

    def _places(
        self,
        records: NDArray[np.void],
        at: NDArray[np.intp],
        starts: NDArray[np.int64],
        header: XdfHeader,
    ) -> Places:
        stops = starts + records["length"][at]
        counts = records["n_samples"][at].astype(np.int64)
        offsets = starts + SAMPLES_AT
        has_room = counts * header.smallest_bytes <= stops - offsets
        if not has_room.all():
            odd = int(has_room.argmin())
            said = f"{counts[odd]} samples claimed in {stops[odd] - offsets[odd]} bytes"
            raise damaged(self._path, int(starts[odd]), said)
        return Places(starts, offsets, stops, counts, records["first_s"][at], records["crc"][at])

    def take_usual(self, start: int) -> int:
        """Take chunks of samples while they are as most are; return where another one begins.

        As most are: with lengths of four bytes, a stamp at the first sample, and whole. All other
        chunks are judged by `take`, which takes five times as long.
        """
        size, longest = os.fstat(self._fd).st_size, _USUAL.size
        unpack, fd = _USUAL.unpack_from, self._fd
        smallest = {number: s.header.smallest_bytes for number, s in self._streams.items()}
        read, read_at = b"", start
        while True:
            if start + longest > read_at + len(read):
                is_near = start - read_at < _SCAN_BYTES  # many of them lie in what is read at once
                read, read_at = os.pread(fd, _SCAN_BYTES if is_near else longest, start), start
                if len(read) < longest:
                    return start
            width, length, tag, number, width_of_count, n_samples, flag, first_s = unpack(
                read, start - read_at
            )
            stop = start + 5 + length
            if (
                (width, tag, width_of_count, flag) != _USUAL_MARKS
                or stop > size
                or not 0 < n_samples * smallest.get(number, size) <= length - _USUAL_HEAD_BYTES
            ):
                return start
            found = self._found[number]
            found.starts.append(start)
            found.offsets.append(start + SAMPLES_AT)
            found.stops.append(stop)
            found.counts.append(n_samples)
            found.firsts_s.append(first_s)
            start = stop

    def take(self, chunk: XdfChunk) -> None:
        """Take one chunk in."""
        try:
            self._take(chunk)
        except ValueError as error:
            raise damaged(self._path, chunk.start, str(error)) from error

    def _take(self, chunk: XdfChunk) -> None:
        if chunk.tag == Tag.STREAM_HEADER:
            if chunk.stream in self._streams:
                raise ValueError(f"a second header of stream {chunk.stream}")
            header = parse_header(_xml(chunk, self._fd))
            self._found[chunk.stream] = _Found()
            self._streams[chunk.stream] = StreamIndex(header, _Found().places())
        elif chunk.stream >= 0:
            if chunk.stream not in self._streams:
                raise ValueError(f"a chunk of stream {chunk.stream}, which has no header before it")
            stream = self._streams[chunk.stream]
            if chunk.tag == Tag.SAMPLES:
                _take_samples(chunk, stream.header, self._found[chunk.stream])
            elif chunk.tag == Tag.CLOCK_OFFSET:
                _take_offset(chunk, stream)
            else:
                self._take_footer(chunk, stream)

    def _take_footer(self, chunk: XdfChunk, stream: StreamIndex) -> None:
        try:
            stream.footer_count = parse_footer(_xml(chunk, self._fd))
        except ValueError as error:
            self.notes.append(f"the footer of {stream.header.name!r} was passed over: {error}")


def _tile(records: NDArray[np.void], size: int) -> bool:
    """Say whether the records are of chunks that lie one after the other in the file."""
    offsets, lengths = records["offset"], records["length"]
    ends = offsets + lengths
    return bool(
        offsets[0] == 0
        and ends[-1] <= size
        and (offsets[1:] == ends[:-1]).all()
        and (records["sequence"] == np.arange(len(records))).all()
        and (records["previous"][1:] == records["check"][:-1]).all()
    )


def _xml(chunk: XdfChunk, fd: int) -> bytes:
    length = chunk.stop - chunk.content
    if length > MAX_XML_BYTES:
        raise ValueError(f"a header of {length} bytes (at most {MAX_XML_BYTES} are read)")
    return os.pread(fd, length, chunk.content)


def _take_samples(chunk: XdfChunk, header: XdfHeader, found: _Found) -> None:
    n_samples, used = read_length(chunk.head, 0)
    if not used:
        raise ValueError("a chunk of samples that ends before their number")
    first = chunk.content + used
    if n_samples * header.smallest_bytes > chunk.stop - first:
        raise ValueError(f"{n_samples} samples claimed in {chunk.stop - first} bytes")
    if n_samples:
        is_stamped = chunk.head[used : used + 1] == b"\x08" and len(chunk.head) >= used + 9
        found.starts.append(chunk.start)
        found.offsets.append(first)
        found.stops.append(chunk.stop)
        found.counts.append(n_samples)
        found.firsts_s.append(
            struct.unpack_from("<d", chunk.head, used + 1)[0] if is_stamped else math.nan
        )


def _take_offset(chunk: XdfChunk, stream: StreamIndex) -> None:
    if chunk.stop - chunk.content != 16:
        raise ValueError(f"a clock offset of {chunk.stop - chunk.content} bytes (it has 16)")
    time_s, offset_s = struct.unpack("<dd", chunk.head[:16])
    if abs(time_s) < _MAX_OFFSET_S and abs(offset_s) < _MAX_OFFSET_S:  # not so of "no number"
        stream.clock_times.append(time_s)
        stream.clock_values.append(offset_s)
