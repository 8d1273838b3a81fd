"""The heads of an XDF file's chunks, read one by one from an open file; contents are skipped.

A chunk is [bytes of the length: 1, 4 or 8][length][tag: 2 bytes][content]; the content of most
begins with the stream's number (4 bytes). No length is believed before it was held against the
size of the file.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devices.device import DeviceRefused
from devices.recording.xdf_format import BOUNDARY, MAGIC, Tag

__all__ = ["XdfChunk", "chunk_at", "damaged", "iterate_chunks", "read_length"]

# Longest head: 1 + 8 (length) + 2 (tag) + 4 (stream) + 1 + 8 (number of samples) + 1 + 8 (stamp).
_HEAD_BYTES = 33
_SCAN_BYTES = 2**18
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


def iterate_chunks(path: Path, fd: int, start: int = len(MAGIC)) -> Iterator[XdfChunk]:
    """Yield every whole chunk of an open file; end before one that reaches beyond the end.

    Raises
    ------
    DeviceRefused
        It is no XDF file, or damaged; says at which byte.
    """
    size = os.fstat(fd).st_size
    if os.pread(fd, len(MAGIC), 0) != MAGIC:
        raise DeviceRefused(f"{path} is no XDF file: it does not begin with 'XDF:'")
    while start < size:
        chunk = chunk_at(path, fd, start, size)
        if chunk is None:
            _refuse_if_more_follows(path, fd, start)
            return
        yield chunk
        start = chunk.stop


def damaged(path: Path, byte: int, what: str) -> DeviceRefused:
    """Return the error that says where a file is damaged."""
    return DeviceRefused(f"{path} is damaged at byte {byte}: {what}")


def chunk_at(path: Path, fd: int, start: int, size: int) -> XdfChunk | None:
    """Read the head of the chunk at `start`; None if the file, of `size`, ends within the chunk.

    Raises
    ------
    DeviceRefused
        There is no such chunk; says at which byte.
    """
    head = os.pread(fd, _HEAD_BYTES, start)
    try:
        length, used = read_length(head, 0)
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


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length number, and where it ends; 0 if the data end before that.

    Raises
    ------
    ValueError
        It has a width that there is not.
    """
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
