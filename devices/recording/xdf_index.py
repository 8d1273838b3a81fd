"""Where everything is in an XDF file: one pass over the heads of its chunks, contents skipped.

A chunk is [bytes of the length: 1, 4 or 8][length][tag: 2 bytes][content]; the content of most
begins with the stream's number (4 bytes). No length is believed before it was held against the
size of the file.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from devices.device import DeviceRefused
from devices.recording.xdf_header import MAX_XML_BYTES, XdfHeader, parse_footer, parse_header
from devices.recording.xdf_writer import BOUNDARY, MAGIC, Tag

__all__ = ["StreamIndex", "XdfChunk", "XdfIndex", "index_xdf", "iterate_chunks"]

# Longest head: 1 + 8 (length) + 2 (tag) + 4 (stream) + 1 + 8 (number of samples); an offset: 31.
_HEAD_BYTES = 32
_SCAN_BYTES = 2**20
_MAX_OFFSET_S = 1e12
_HAS_STREAM = (Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER)
_KNOWN = (Tag.FILE_HEADER, Tag.BOUNDARY, *_HAS_STREAM)


@dataclass(frozen=True, slots=True)
class XdfChunk:
    """One whole chunk.

    Parameters
    ----------
    start
        Byte at which it begins.
    tag
        What it is, see `Tag`.
    stream
        Number of its stream; -1 for chunks of none.
    content, stop
        Bytes at which what follows tag and stream begins, and at which the chunk ends.
    head
        The first bytes of the content, as many as were at hand.
    """

    start: int
    tag: int
    stream: int
    content: int
    stop: int
    head: bytes


@dataclass(slots=True)
class StreamIndex:
    """Where the samples of a stream are.

    Parameters
    ----------
    header
        What the stream says of itself.
    offsets, stops, counts
        For each chunk: byte of the first sample, byte after the last, number of samples.
    clock_times, clock_values
        Clock offsets, in seconds: on the sender's clock, and what to add to it.
    footer_count
        Number of samples by the footer, if there is one.
    """

    header: XdfHeader
    offsets: array[int] = field(default_factory=lambda: array("q"))
    stops: array[int] = field(default_factory=lambda: array("q"))
    counts: array[int] = field(default_factory=lambda: array("q"))
    clock_times: list[float] = field(default_factory=list)
    clock_values: list[float] = field(default_factory=list)
    footer_count: int | None = None


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


def iterate_chunks(path: Path, fd: int) -> Iterator[XdfChunk]:
    """Yield every whole chunk of an open file; end before one that reaches beyond the end.

    Raises
    ------
    DeviceRefused
        It is no XDF file, or damaged; says at which byte.
    """
    size = os.fstat(fd).st_size
    if os.pread(fd, len(MAGIC), 0) != MAGIC:
        raise DeviceRefused(f"{path} is no XDF file: it does not begin with 'XDF:'")
    start = len(MAGIC)
    while start < size:
        chunk = _chunk_at(path, fd, start, size)
        if chunk is None:
            _refuse_if_more_follows(path, fd, start)
            return
        yield chunk
        start = chunk.stop


def index_xdf(path: Path, fd: int) -> XdfIndex:
    """Index an open file.

    Raises
    ------
    DeviceRefused
        It is no XDF file, or damaged; says at which byte.
    """
    streams: dict[int, StreamIndex] = {}
    notes: list[str] = []
    end = len(MAGIC)
    for chunk in iterate_chunks(path, fd):
        try:
            _take(chunk, fd, streams, notes)
        except ValueError as error:
            raise damaged(path, chunk.start, str(error)) from error
        end = chunk.stop
    if missing := os.fstat(fd).st_size - end:
        notes.append(
            f"the file is cut short: the last whole chunk ends at byte {end}, "
            f"and {missing} bytes after it were passed over"
        )
    for stream in streams.values():
        notes += stream.header.notes
    return XdfIndex(path, streams, end, tuple(notes))


def damaged(path: Path, byte: int, what: str) -> DeviceRefused:
    """Return the error that says where a file is damaged."""
    return DeviceRefused(f"{path} is damaged at byte {byte}: {what}")


def _chunk_at(path: Path, fd: int, start: int, size: int) -> XdfChunk | None:
    """Read the head of a chunk; None if the file ends within the chunk."""
    head = os.pread(fd, _HEAD_BYTES, start)
    try:
        length, used = _length(head, 0)
    except ValueError as error:
        raise damaged(path, start, str(error)) from error
    stop = start + used + length
    if length < 2 and used:
        raise damaged(path, start, f"a chunk of {length} bytes")
    if not used or stop > size:
        return None
    tag = int.from_bytes(head[used : used + 2], "little")
    used += 2
    if tag not in _KNOWN:
        raise damaged(path, start, f"no chunk has the tag {tag}")
    stream = -1
    if tag in _HAS_STREAM:
        if start + used + 4 > stop:
            raise damaged(path, start, f"a chunk of {length} bytes")
        stream = int.from_bytes(head[used : used + 4], "little")
        used += 4
    content = start + used
    return XdfChunk(start, tag, stream, content, stop, head[used : stop - start])


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length number, and where it ends; 0 if the data end before that."""
    if at >= len(data):
        return 0, 0
    n_bytes = data[at]
    if n_bytes not in (1, 4, 8):
        raise ValueError(f"a length of {n_bytes} bytes (XDF has 1, 4 and 8)")
    stop = at + 1 + n_bytes
    return int.from_bytes(data[at + 1 : stop], "little"), stop if stop <= len(data) else 0


def _refuse_if_more_follows(path: Path, fd: int, start: int) -> None:
    """Tell a cut from a wrong length: after that, a boundary follows."""
    position = start
    while block := os.pread(fd, _SCAN_BYTES, position):
        if (found := block.find(BOUNDARY)) >= 0:
            where = position + found
            raise damaged(path, start, f"a chunk claims to end beyond the boundary at byte {where}")
        if len(block) < len(BOUNDARY):
            return
        position += len(block) - len(BOUNDARY) + 1


def _take(chunk: XdfChunk, fd: int, streams: dict[int, StreamIndex], notes: list[str]) -> None:
    if chunk.tag == Tag.STREAM_HEADER:
        if chunk.stream in streams:
            raise ValueError(f"a second header of stream {chunk.stream}")
        streams[chunk.stream] = StreamIndex(parse_header(_xml(chunk, fd)))
    elif chunk.stream >= 0:
        if chunk.stream not in streams:
            raise ValueError(f"a chunk of stream {chunk.stream}, which has no header before it")
        stream = streams[chunk.stream]
        if chunk.tag == Tag.SAMPLES:
            _take_samples(chunk, stream)
        elif chunk.tag == Tag.CLOCK_OFFSET:
            _take_offset(chunk, stream)
        else:
            try:
                stream.footer_count = parse_footer(_xml(chunk, fd))
            except ValueError as error:
                notes.append(f"the footer of {stream.header.name!r} was passed over: {error}")


def _xml(chunk: XdfChunk, fd: int) -> bytes:
    length = chunk.stop - chunk.content
    if length > MAX_XML_BYTES:
        raise ValueError(f"a header of {length} bytes (at most {MAX_XML_BYTES} are read)")
    return os.pread(fd, length, chunk.content)


def _take_samples(chunk: XdfChunk, stream: StreamIndex) -> None:
    n_samples, used = _length(chunk.head, 0)
    if not used:
        raise ValueError("a chunk of samples that ends before their number")
    first = chunk.content + used
    smallest = 1 + (stream.header.value_bytes or 2 * len(stream.header.labels))
    if n_samples * smallest > chunk.stop - first:
        raise ValueError(f"{n_samples} samples claimed in {chunk.stop - first} bytes")
    if n_samples:
        stream.offsets.append(first)
        stream.stops.append(chunk.stop)
        stream.counts.append(n_samples)


def _take_offset(chunk: XdfChunk, stream: StreamIndex) -> None:
    if chunk.stop - chunk.content != 16:
        raise ValueError(f"a clock offset of {chunk.stop - chunk.content} bytes (it has 16)")
    time_s, offset_s = struct.unpack("<dd", chunk.head[:16])
    if abs(time_s) < _MAX_OFFSET_S and abs(offset_s) < _MAX_OFFSET_S:  # not so of "no number"
        stream.clock_times.append(time_s)
        stream.clock_values.append(offset_s)
