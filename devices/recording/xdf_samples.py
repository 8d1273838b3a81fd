"""The samples of an XDF stream, decoded piece by piece.

A sample is [8][stamp: float64] or [0], then its values; a sample without a stamp follows the one
before it by a period. Samples of one layout lie in runs, which are decoded at once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from devices.recording.xdf_header import FORMATS
from devices.recording.xdf_heads import damaged
from devices.recording.xdf_index import Places, StreamIndex

__all__ = [
    "MAX_STAMP_S",
    "Piece",
    "check_chunk",
    "decode_stamps",
    "decode_texts",
    "decode_values",
    "iterate_pieces",
    "texts_at",
]

#: Bytes of samples that are decoded at a time.
_PIECE_BYTES = 2**20

#: Samples that are first looked at for a run of one layout; doubled while the run goes on.
_FIRST_WINDOW = 256

#: No clock runs this long; unix time is at 1.8e9.
MAX_STAMP_S = 1e12

_STAMP = struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole samples that lie together.

    Parameters
    ----------
    offset, stop
        Bytes of the file at which they begin and end.
    count
        How many they are.
    before_s
        Stamp of the sample before them, as written; 0 before the first.
    """

    offset: int
    stop: int
    count: int
    before_s: float


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples of one layout: at `offset` in the piece, `count` of them, stamped or not."""

    offset: int
    count: int
    stamped: bool


def iterate_pieces(
    path: Path, fd: int, stream: StreamIndex
) -> Iterator[tuple[Piece, NDArray[np.float64]]]:
    """Yield the pieces of a numeric stream, in order, with their stamps as written.

    Raises
    ------
    DeviceRefused
        A chunk does not hold the samples that it claims; says at which byte.
    """
    value_bytes = stream.header.value_bytes
    period_s = 1 / stream.header.rate_hz if stream.header.rate_hz else 0.0
    before_s = 0.0
    places = stream.places
    for at in range(len(places.starts)):
        check_chunk(path, fd, places, at)
        start, offset, stop = (int(a[at]) for a in (places.starts, places.offsets, places.stops))
        left = n_samples = int(places.counts[at])
        while left:
            data = os.pread(fd, min(stop - offset, max(_PIECE_BYTES, 9 + value_bytes)), offset)
            runs = _runs(path, data, offset, left, value_bytes)
            count = sum(run.count for run in runs)
            if not count:
                raise damaged(path, start, f"a chunk of {n_samples} samples ends {left} early")
            stamps = decode_stamps(data, runs, value_bytes, before_s, period_s)
            if not (np.abs(stamps) < MAX_STAMP_S).all():
                raise damaged(path, offset, "a stamp that is no time")
            end = offset + _end(runs, value_bytes)
            yield Piece(offset, end, count, before_s), stamps
            before_s = float(stamps[-1])
            offset, left = end, left - count
        if offset != stop:
            raise damaged(path, start, f"a chunk is {stop - offset} bytes longer than its samples")


def check_chunk(path: Path, fd: int, places: Places, at: int) -> None:
    """Hold a chunk against its checksum, where there is one.

    Raises
    ------
    DeviceRefused
        It is not as it was written.
    """
    if places.crcs is None:
        return
    start, stop = int(places.starts[at]), int(places.stops[at])
    crc = 0
    for offset in range(start, stop, _PIECE_BYTES):
        crc = crc32c(os.pread(fd, min(_PIECE_BYTES, stop - offset), offset), crc)
    if crc != places.crcs[at]:
        raise damaged(path, start, f"a checksum is wrong. bci recover {path} saves the rest")


def decode_stamps(
    data: bytes, runs: list[_Run], value_bytes: int, before_s: float, period_s: float
) -> NDArray[np.float64]:
    """Return the stamps of some samples, deduced where they are not written, (n,) in seconds."""
    stamps = np.empty(sum(run.count for run in runs))
    at = 0
    for run in runs:
        part = stamps[at : at + run.count]
        if run.stamped:
            row = np.dtype([("n", "u1"), ("t", "<f8"), ("values", "V", value_bytes)])
            part[:] = np.frombuffer(data, row, run.count, run.offset)["t"]
        else:
            part[:] = before_s + period_s * np.arange(1, run.count + 1)
        before_s = float(part[-1])
        at += run.count
    return stamps


def decode_values(
    path: Path, fd: int, piece: Piece, stream: StreamIndex
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Return the values of a piece as they are in the file, (n, n_channels), and the stamps."""
    header = stream.header
    data = os.pread(fd, piece.stop - piece.offset, piece.offset)
    runs = _runs(path, data, piece.offset, piece.count, header.value_bytes)
    dtype = np.dtype(FORMATS[header.format])
    values = np.empty((piece.count, len(header.labels)), dtype)
    at = 0
    for run in runs:
        skipped = 9 if run.stamped else 1
        row = np.dtype([("skipped", "V", skipped), ("v", dtype, (len(header.labels),))])
        values[at : at + run.count] = np.frombuffer(data, row, run.count, run.offset)["v"]
        at += run.count
    if at != piece.count:
        raise damaged(path, piece.offset, "the file has changed since it was opened")
    period_s = 1 / header.rate_hz if header.rate_hz else 0.0
    return values, decode_stamps(data, runs, header.value_bytes, piece.before_s, period_s)


def decode_texts(path: Path, fd: int, stream: StreamIndex) -> tuple[NDArray[np.float64], list[str]]:
    """Return the stamps as written and the texts of a stream of strings; channels are joined.

    Raises
    ------
    DeviceRefused
        A chunk does not hold the samples that it claims; says at which byte.
    """
    header, places = stream.header, stream.places
    period_s = 1 / header.rate_hz if header.rate_hz else 0.0
    stamps: list[float] = []
    texts: list[str] = []
    for chunk in range(len(places.starts)):
        check_chunk(path, fd, places, chunk)
        start, stop = int(places.offsets[chunk]), int(places.stops[chunk])
        data = os.pread(fd, stop - start, start)
        count = int(places.counts[chunk])
        for stamp, parts in _iterate_texts(path, data, start, count, len(header.labels)):
            stamps.append((stamps[-1] if stamps else 0.0) + period_s if stamp is None else stamp)
            texts.append(", ".join(part for part in parts if part))
    return np.array(stamps, np.float64), texts


def texts_at(path: Path, data: bytes, offset: int, count: int) -> list[str]:
    """Return the `count` texts of one channel that lie in `data`, from byte `offset` of the file.

    Raises
    ------
    DeviceRefused
        They do not; says at which byte.
    """
    return [parts[0] for _, parts in _iterate_texts(path, data, offset, count, 1)]


def _iterate_texts(
    path: Path, data: bytes, start: int, count: int, n_channels: int
) -> Iterator[tuple[float | None, list[str]]]:
    at = 0
    try:
        for _ in range(count):
            stamp = None
            if data[at] == 8:
                stamp = float(_STAMP.unpack_from(data, at + 1)[0])
                if not abs(stamp) < MAX_STAMP_S:
                    raise damaged(path, start + at, "a stamp that is no time")
            elif data[at]:
                raise damaged(path, start + at, f"a stamp of {data[at]} bytes")
            at += 1 if stamp is None else 9
            parts = []
            for _ in range(n_channels):
                part, at = _text(data, at)
                parts.append(part)
            yield stamp, parts
    except (IndexError, ValueError, struct.error) as error:
        raise damaged(path, start + at, f"a text leaves its chunk ({error})") from error


def _text(data: bytes, at: int) -> tuple[str, int]:
    n_bytes = data[at]
    if n_bytes not in (1, 4, 8):
        raise ValueError(f"a length of {n_bytes} bytes")
    first = at + 1 + n_bytes
    stop = first + int.from_bytes(data[at + 1 : first], "little")
    if stop > len(data):
        raise ValueError(f"a text of {stop - first} bytes")
    return data[first:stop].decode("utf-8", "replace"), stop


def _runs(path: Path, data: bytes, offset: int, n_max: int, value_bytes: int) -> list[_Run]:
    """Return the runs of the whole samples, at most `n_max`, in what lies at byte `offset`."""
    flags = np.frombuffer(data, np.uint8)
    runs: list[_Run] = []
    at, left, window = 0, n_max, _FIRST_WINDOW
    while left and at < len(flags):
        flag = int(flags[at])
        if flag not in (0, 8):
            raise damaged(path, offset + at, f"a stamp of {flag} bytes (XDF has 0 and 8)")
        stride = 1 + flag + value_bytes
        possible = min(left, (len(flags) - at) // stride)
        if not possible:
            break
        count = min(possible, window)
        same = flags[at : at + count * stride : stride] == flag
        if same.all():
            window *= 2
        else:
            count, window = int(same.argmin()), _FIRST_WINDOW
        runs.append(_Run(at, count, flag == 8))
        at += count * stride
        left -= count
    return runs


def _end(runs: list[_Run], value_bytes: int) -> int:
    last = runs[-1]
    return last.offset + last.count * ((9 if last.stamped else 1) + value_bytes)
