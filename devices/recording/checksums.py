"""The checksums beside an XDF file: ``X.xdf.crc``, one record of fixed size for each chunk.

XDF has no checksum: a flipped bit in a sample loads without an error. Each record holds where a
chunk lies, its CRC-32C, and what is in it, so that the sidecar also is the recording's index and
knows what is lost when a chunk is. Each record has a check of its own (a torn or damaged one
shows), and names the check of the record before it (one that is missing, doubled or swapped
shows).

Layout, little-endian: a header of 48 bytes (magic 16, identity 16, zeros 12, check 4), then records
of 48 bytes as in `RECORD`. A check is the CRC-32C of the bytes before it.
"""

from __future__ import annotations

import math
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from devices.recording.xdf_chunks import chunk_at, read_count
from devices.recording.xdf_format import MAGIC, Tag

__all__ = ["RECORD", "Chain", "Checksums", "map_records", "read_checksums", "sidecar_of"]

_MAGIC = b"XDF CRC-32C v1\n\0"
_HEADER = struct.Struct("<16s16s12xI")
_RECORD = struct.Struct("<IIQIIHHIIdI")
_CHECK = struct.Struct("<I")

RECORD = np.dtype(
    [
        ("sequence", "<u4"),  # counted from 0
        ("previous", "<u4"),  # check of the record before; of the header, for the first
        ("offset", "<u8"),
        ("length", "<u4"),
        ("crc", "<u4"),
        ("tag", "<u2"),  # as in the chunk; 0 for the file's first four bytes
        ("unused", "<u2"),
        ("stream", "<u4"),
        ("n_samples", "<u4"),
        ("first_s", "<f8"),  # stamp of the first sample; NaN where there is none
        ("check", "<u4"),
    ]
)


def sidecar_of(path: Path | str) -> Path:
    """Return where the checksums of an XDF file are."""
    path = Path(path)
    return path.with_name(path.name + ".crc")


class Chain:
    """Makes the sidecar's bytes, one record after the other.

    Attributes
    ----------
    header
        What the sidecar begins with.
    state
        Where the chain stands: the next record's number, and the check of the one before.
    """

    def __init__(self) -> None:
        head = _HEADER.pack(_MAGIC, secrets.token_bytes(16), 0)[: -_CHECK.size]
        check = crc32c(head)
        self.state = (0, check)
        self.header = head + _CHECK.pack(check)

    def record(self, piece: memoryview, offset: int) -> bytes:
        """Return the record of a piece that goes to `offset`: the magic, or a whole chunk."""
        tag, stream, n, first_s = _describe(piece)
        body = _RECORD.pack(
            *self.state,
            offset,
            len(piece),
            crc32c(piece),
            tag,
            0,
            stream,
            n,
            first_s,
            0,
        )[: -_CHECK.size]
        return body + _CHECK.pack(crc32c(body))

    def accept(self, record: bytes) -> None:
        """Take in that `record` has been written; the next one follows it."""
        self.state = (self.state[0] + 1, *_CHECK.unpack(record[-_CHECK.size :]))


@dataclass(frozen=True, slots=True)
class Checksums:
    """A sidecar as it was read.

    Parameters
    ----------
    records
        (n,) of `RECORD`: those that are sound and in their place, in the order of the file.
    n_damaged
        Records that are not, the header among them.
    is_torn
        True when the last record is not whole: it was being written when the end came.
    """

    records: NDArray[np.void]
    n_damaged: int
    is_torn: bool


def map_records(path: Path) -> NDArray[np.void] | None:
    """Return the whole records of the sidecar of `path` as they are on the disk, unjudged.

    (n,) of `RECORD`, mapped, so that opening costs no memory; None if there are none.
    """
    sidecar = sidecar_of(path)
    try:
        n = (sidecar.stat().st_size - _HEADER.size) // RECORD.itemsize
    except FileNotFoundError:
        return None
    if n <= 0:
        return None
    return np.asarray(np.memmap(sidecar, RECORD, "r", _HEADER.size, (n,)))


def read_checksums(path: Path) -> Checksums | None:
    """Read the sidecar of the XDF file at `path`; None if it has none, or one of nothing."""
    try:
        content = sidecar_of(path).read_bytes()
    except FileNotFoundError:
        return None
    n, torn = divmod(max(len(content) - _HEADER.size, 0), RECORD.itemsize)
    if not n:
        return None
    view = memoryview(content)
    records = np.frombuffer(content, RECORD, n, _HEADER.size)
    size = RECORD.itemsize - _CHECK.size
    starts = range(_HEADER.size, _HEADER.size + n * RECORD.itemsize, RECORD.itemsize)
    checks = np.fromiter((crc32c(view[s : s + size]) for s in starts), np.uint32, n)
    sound = records["check"] == checks
    sound &= records["sequence"] == np.arange(n)
    follows = records["previous"][1:] == records["check"][:-1]
    sound[1:] &= follows | ~sound[:-1]
    (head_check,) = _CHECK.unpack(content[size : RECORD.itemsize])
    is_head_sound = content.startswith(_MAGIC) and head_check == crc32c(view[:size])
    if is_head_sound:
        sound[0] &= records["previous"][0] == head_check
    n_damaged = int(n - sound.sum()) + (not is_head_sound)
    return Checksums(records[sound], n_damaged, torn > 0)


def _describe(piece: memoryview) -> tuple[int, int, int, float]:
    if piece == MAGIC:
        return 0, 0, 0, math.nan
    chunk = chunk_at(piece, 0, len(piece))
    if chunk.tag != Tag.SAMPLES:
        return chunk.tag, chunk.stream, 0, math.nan
    n, start = read_count(piece, chunk)
    stamped = piece[start] == 8
    first_s = struct.unpack_from("<d", piece, start + 1)[0] if stamped else math.nan
    return chunk.tag, chunk.stream, n, first_s
