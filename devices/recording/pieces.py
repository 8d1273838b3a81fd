"""An XDF file taken apart into pieces, each judged: by its checksum, or by its form alone."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crc32c import crc32c

from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.checksums import Checksums
from devices.recording.xdf_chunks import (
    ChunkAt,
    DamagedChunk,
    chunk_at,
    next_boundary,
    read_count,
)
from devices.recording.xdf_format import MAGIC, Tag

__all__ = ["KEPT", "Piece", "State", "map_file", "pieces_of"]

_NEIGHBOURHOOD = 1 << 20
_MOST_CANDIDATES = 1000

State = Literal["sound", "moved", "unchecked", "damaged", "torn", "missing"]
"""
sound
    Its checksum is right.
moved
    Its checksum is right, but it is not where it was written: bytes before it were put in or taken
    out.
unchecked
    Whole, but there is no checksum to tell whether it is right.
damaged
    Its checksum is wrong, or no chunk can look like this.
torn
    The file ends within it, and no checksum was taken: it was being written when the end came.
missing
    The checksums tell of it; the file ends before or within it.
"""

KEPT: tuple[State, ...] = ("sound", "moved", "unchecked")
"""States of pieces that can be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk, or a stretch of bytes that is none.

    Parameters
    ----------
    offset, end
        Where it is, in bytes.
    state
        What is known of it.
    chunk
        The chunk; None where the bytes make none.
    stream
        The stream that it belongs to; 0 for none or unknown.
    n_samples
        Samples that are in it, or were; None when that is not known.
    why
        What is wrong with it.
    """

    offset: int
    end: int
    state: State
    chunk: ChunkAt | None
    stream: int = 0
    n_samples: int | None = None
    why: str = ""


def map_file(path: Path) -> memoryview:
    """Return the bytes of an XDF file, which are read from the disk as they are asked for.

    Raises
    ------
    DeviceNotFound
        There is no such file.
    DeviceRefused
        It is not XDF.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; the map stays
    except FileNotFoundError as e:
        raise DeviceNotFound(f"there is no file {path}") from e
    with file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DeviceRefused(f"{path} is not an XDF file: it does not begin with {MAGIC!r}")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def pieces_of(data: memoryview, sums: Checksums | None) -> Iterator[Piece]:
    """Yield the pieces of a file in their order, from its first byte to its last and beyond."""
    if sums is None:
        yield from _unchecked(data, 0, len(data), is_last=True)
        return
    at = good = expected = shift = 0
    records = sums.records
    for i, record in enumerate(records):
        offset = int(record["offset"])
        is_right = _is_at(data, offset + shift, record)
        if not is_right:
            moved = _find_shift(data, good, shift, records[i : i + 2])
            is_right, shift = moved is not None, shift if moved is None else moved
        start = offset + shift
        if start > at:
            if int(record["sequence"]) == expected:
                yield Piece(at, start, "damaged", None, 0, 0, "the checksums know nothing of it")
            else:
                yield from _unchecked(data, at, min(start, len(data)))
        piece = _judged(data, record, start, shift, is_right)
        yield piece
        at = max(at, piece.end)
        if piece.state in ("sound", "moved"):
            at = good = piece.end
        expected = int(record["sequence"]) + 1
    if at < len(data):
        yield from _unchecked(data, at, len(data), is_last=True)


def _is_at(data: memoryview, start: int, record: Any) -> bool:
    end = start + int(record["length"])
    return start >= 0 and end <= len(data) and crc32c(data[start:end]) == int(record["crc"])


def _find_shift(data: memoryview, at: int, shift: int, records: Any) -> int | None:
    """Return by how much everything from the first of `records` on has moved; None if unknown.

    Bytes that were put in or taken out move what follows. It has moved if this chunk is somewhere
    else in the neighbourhood, and the next one directly behind it.
    """
    record = records[0]
    if len(records) < 2 or int(records[1]["sequence"]) != int(record["sequence"]) + 1:
        return None
    length, tag, stream = (int(record[name]) for name in ("length", "tag", "stream"))
    if not tag:
        return None
    head = struct.pack("<BIH", 4, length - 5, tag) + (struct.pack("<I", stream) if stream else b"")
    place = int(record["offset"]) + shift
    start = max(at, place - _NEIGHBOURHOOD)
    around = bytes(data[start : place + _NEIGHBOURHOOD + length])
    found = around.find(head)
    for _ in range(_MOST_CANDIDATES):
        if found < 0:
            break
        if _is_at(data, start + found, record) and _is_at(data, start + found + length, records[1]):
            return start + found - int(record["offset"])
        found = around.find(head, found + 1)
    return None


def _judged(data: memoryview, record: Any, start: int, shift: int, is_right: bool) -> Piece:
    length, stream, n, tag = (
        int(record[name]) for name in ("length", "stream", "n_samples", "tag")
    )
    end = start + length
    count = n if tag == Tag.SAMPLES else 0
    if is_right:
        try:
            chunk = None if tag == 0 else chunk_at(data, start, end)
        except DamagedChunk as e:
            return Piece(start, end, "damaged", None, stream, count, e.why)
        if chunk is not None and chunk.end != end:
            return Piece(start, end, "damaged", None, stream, count, "it is no single chunk")
        if shift:
            why = f"it was written {abs(shift)} bytes {'before' if shift > 0 else 'behind'} this"
            return Piece(start, end, "moved", chunk, stream, count, why)
        return Piece(start, end, "sound", chunk, stream, count)
    if start >= len(data):
        return Piece(start, end, "missing", None, stream, count, "the file ends before it")
    if end > len(data):
        return Piece(start, end, "missing", None, stream, count, "the file ends within it")
    return Piece(start, end, "damaged", None, stream, count, "its checksum is wrong")


def _unchecked(data: memoryview, start: int, stop: int, is_last: bool = False) -> Iterator[Piece]:
    if start == 0 and stop >= len(MAGIC):
        yield Piece(0, len(MAGIC), "unchecked", None)
        start = len(MAGIC)
    while start < stop:
        try:
            chunk = chunk_at(data, start, stop)
            count = read_count(data, chunk)[0] if chunk.tag == Tag.SAMPLES else 0
        except DamagedChunk as e:
            resume = next_boundary(data, start, stop)
            is_torn = resume is None and is_last and e.is_cut
            state: State = "torn" if is_torn else "damaged"
            end = stop if resume is None else resume
            stream, n = _promised(data, start, stop) if is_torn else (0, None)
            yield Piece(start, end, state, None, stream, n, e.why)
            start = end
            continue
        yield Piece(start, chunk.end, "unchecked", chunk, chunk.stream, count)
        start = chunk.end


def _promised(data: memoryview, start: int, stop: int) -> tuple[int, int | None]:
    """Return the stream and the number of samples of a chunk of which only the head is there."""
    head = 5 if data[start] == 4 else 1 + data[start]
    if stop - start < head + 6:
        return 0, None
    tag = int.from_bytes(data[start + head : start + head + 2], "little")
    stream = int.from_bytes(data[start + head + 2 : start + head + 6], "little")
    if tag != Tag.SAMPLES:
        return (stream if tag in (2, 4, 6) else 0), 0
    try:
        return stream, read_count(data, ChunkAt(start, stop, tag, stream, start + head + 6))[0]
    except DamagedChunk:
        return stream, None
