"""An XDF file taken apart into pieces, each judged: by its checksum, or by its form alone."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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

__all__ = ["Piece", "State", "map_file", "pieces_of"]

State = Literal["sound", "unchecked", "damaged", "torn", "missing"]
"""
sound
    Its checksum is right.
unchecked
    Whole, but there is no checksum to tell whether it is right.
damaged
    Its checksum is wrong, or no chunk can look like this.
torn
    The file ends within it, and no checksum was taken: it was being written when the end came.
missing
    The checksums tell of it; the file ends before or within it.
"""


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
    at = 0
    for record in () if sums is None else sums.records:
        offset, end = int(record["offset"]), int(record["offset"]) + int(record["length"])
        if offset < at:
            continue  # cannot be, but for a sidecar that is not this file's
        yield from _unchecked(data, at, min(offset, len(data)))
        yield _judged(data, record, offset, end)
        at = end
    if at < len(data):
        yield from _unchecked(data, at, len(data), is_last=True)


def _judged(data: memoryview, record: object, offset: int, end: int) -> Piece:
    stream, n, crc, tag = (
        int(record[name])  # type: ignore[index]
        for name in ("stream", "n_samples", "crc", "tag")
    )
    count = n if tag == Tag.SAMPLES else 0
    if offset >= len(data):
        return Piece(offset, end, "missing", None, stream, count, "the file ends before it")
    if end > len(data):
        return Piece(offset, end, "missing", None, stream, count, "the file ends within it")
    if crc32c(data[offset:end]) != crc:
        return Piece(offset, end, "damaged", None, stream, count, "its checksum is wrong")
    chunk = None if tag == 0 else chunk_at(data, offset, end)
    return Piece(offset, end, "sound", chunk, stream, count)


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
