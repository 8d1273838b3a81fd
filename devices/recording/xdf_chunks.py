"""The chunks of an XDF file as they lie in its bytes: found, judged and decoded one by one.

Nothing that a file says of itself is believed before it is checked against the bytes that are
there, and no memory is spent on its word. Decoding is vectorised over runs of samples.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast, get_args
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_format import BOUNDARY, DTYPES, MAGIC, Format, Tag

__all__ = [
    "ChunkAt",
    "DamagedChunk",
    "Layout",
    "Samples",
    "chunk_at",
    "decode",
    "next_boundary",
    "parse_header",
    "parse_xml",
    "read_count",
    "walk",
]

Bytes = bytes | memoryview

_HAS_STREAM = (Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER)
_LONGEST_XML = 8 << 20
_MOST_CHANNELS = 1 << 20


class DamagedChunk(Exception):
    """The bytes at `offset` are not what a chunk can be.

    Attributes
    ----------
    offset, why
        Where, and what is wrong.
    is_cut
        What is there could be the beginning of a chunk.
    """

    def __init__(self, offset: int, why: str, is_cut: bool = False) -> None:
        super().__init__(f"at byte {offset}: {why}")
        self.offset = offset
        self.why = why
        self.is_cut = is_cut


@dataclass(frozen=True, slots=True)
class ChunkAt:
    """Where one chunk is.

    Parameters
    ----------
    offset, end
        First byte of it, and first byte after it.
    tag
        What it holds, see `devices.recording.xdf_format.Tag`.
    stream
        The stream that it belongs to; 0 for none.
    content
        First byte after the tag and the stream.
    """

    offset: int
    end: int
    tag: int
    stream: int
    content: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a stream's header says, as far as it is needed to decode the stream.

    Parameters
    ----------
    name, kind, source_id
        Texts; empty where the header has none.
    format
        ``"string"`` or a key of `devices.recording.xdf_format.DTYPES`.
    n_channels
        Number of channels, > 0.
    rate_hz
        Nominal rate; 0 for samples that come when they come.
    labels, units
        One for each channel; empty texts where the header has none.
    """

    name: str
    kind: str
    source_id: str
    format: Format
    n_channels: int
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one chunk.

    Parameters
    ----------
    times
        (n,) float64, the stamps as they stand in the file, in seconds.
    values
        (n, n_channels) of the stream's format; None for a stream of texts.
    texts
        The rows of a stream of texts; empty for numbers.
    """

    times: NDArray[np.float64]
    values: NDArray[np.generic] | None
    texts: tuple[tuple[str, ...], ...] = ()


def walk(data: Bytes, start: int = len(MAGIC), stop: int | None = None) -> Iterator[ChunkAt]:
    """Yield the chunks that lie one after the other in ``data[start:stop]``.

    Raises
    ------
    DamagedChunk
        No chunk can begin where the last one ended, or it is not whole.
    """
    stop = len(data) if stop is None else stop
    while start < stop:
        chunk = chunk_at(data, start, stop)
        yield chunk
        start = chunk.end


def chunk_at(data: Bytes, offset: int, stop: int) -> ChunkAt:
    """Return the chunk that begins at `offset` and ends at or before `stop`.

    Raises
    ------
    DamagedChunk
        None does.
    """
    length, head = _varlen(data, offset, stop)
    end = head + length
    if end > stop:
        raise DamagedChunk(
            offset, f"a chunk of {length} bytes is cut off after {stop - head}", is_cut=True
        )
    if length < 2:
        raise DamagedChunk(offset, f"a chunk of {length} bytes has no room for its tag")
    tag = int.from_bytes(data[head : head + 2], "little")
    if tag not in range(Tag.FILE_HEADER, Tag.STREAM_FOOTER + 1):
        raise DamagedChunk(offset, f"there is no chunk with the tag {tag}")
    if tag not in _HAS_STREAM:
        return ChunkAt(offset, end, tag, 0, head + 2)
    if length < 6:
        raise DamagedChunk(offset, f"a chunk of {length} bytes has no room for its stream")
    stream = int.from_bytes(data[head + 2 : head + 6], "little")
    return ChunkAt(offset, end, tag, stream, head + 6)


def next_boundary(data: Bytes, start: int, stop: int) -> int | None:
    """Return where the chunk after the next boundary mark begins; None if there is none."""
    if isinstance(data, memoryview):
        step = 1 << 20
        for at in range(start, stop, step):
            found = bytes(data[at : min(at + step + len(BOUNDARY), stop)]).find(BOUNDARY)
            if found >= 0:
                return at + found + len(BOUNDARY)
        return None
    found = data.find(BOUNDARY, start, stop)
    return None if found < 0 else found + len(BOUNDARY)


def parse_header(xml: Bytes, offset: int = 0) -> Layout:
    """Return what a stream's header says.

    Raises
    ------
    DamagedChunk
        It is no such header, or one that asks for the impossible.
    """
    info = parse_xml(xml, offset)
    text = {child.tag: (child.text or "").strip() for child in info}
    format_ = text.get("channel_format", "")
    if format_ not in get_args(Format):
        raise DamagedChunk(offset, f"the header states an unknown format {format_[:40]!r}")
    count = text.get("channel_count", "")
    if not re.fullmatch(r"\d{1,7}", count) or not 0 < int(count) <= _MOST_CHANNELS:
        raise DamagedChunk(offset, f"the header states {count[:40]!r} channels")
    rate_hz = _number(text.get("nominal_srate", ""))
    if rate_hz is None or rate_hz < 0:
        raise DamagedChunk(offset, f"the header states a rate of {text.get('nominal_srate')!r}")
    listed = info.findall("./desc/channels/channel")[: int(count)]
    pad = ("",) * (int(count) - len(listed))
    return Layout(
        name=text.get("name", ""),
        kind=text.get("type", ""),
        source_id=text.get("source_id", ""),
        format=cast(Format, format_),
        n_channels=int(count),
        rate_hz=rate_hz,
        labels=tuple((c.findtext("label") or "").strip() for c in listed) + pad,
        units=tuple((c.findtext("unit") or "").strip() for c in listed) + pad,
    )


def parse_xml(xml: Bytes, offset: int = 0) -> ElementTree.Element:
    """Return the root of a header's or footer's XML.

    Raises
    ------
    DamagedChunk
        It is not XML, is absurdly long, or declares entities (which could expand without end).
    """
    if len(xml) > _LONGEST_XML:
        raise DamagedChunk(offset, f"a header of {len(xml)} bytes is absurd")
    content = bytes(xml)
    if b"<!" in content:
        raise DamagedChunk(offset, "the XML has declarations, which XDF does not use")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as e:
        raise DamagedChunk(offset, f"not XML: {e}") from e


def decode(data: Bytes, chunk: ChunkAt, layout: Layout, last_s: float = 0.0) -> Samples:
    """Return the samples of one chunk.

    Parameters
    ----------
    data
        The file.
    chunk
        Which chunk, of tag ``SAMPLES``.
    layout
        What its stream is.
    last_s
        The stamp of the stream's last sample before this chunk, from which those that are left
        out are reckoned.

    Raises
    ------
    DamagedChunk
        The samples do not fill the chunk exactly.
    """
    n, start = read_count(data, chunk)
    content = data[start : chunk.end]
    if n * _shortest_row(layout) > len(content):
        raise DamagedChunk(chunk.offset, f"it promises {n} samples in {len(content)} bytes")
    try:
        if layout.format == "string":
            return _decode_texts(content, n, layout, last_s)
        return _decode_numbers(content, n, layout, last_s)
    except (struct.error, IndexError, _Overrun) as e:
        raise DamagedChunk(chunk.offset, f"its {n} samples do not fill the chunk: {e}") from e


def read_count(data: Bytes, chunk: ChunkAt) -> tuple[int, int]:
    """Return how many samples a chunk says it has, and where the first one begins.

    Raises
    ------
    DamagedChunk
        It does not say.
    """
    return _varlen(data, chunk.content, chunk.end)


def _shortest_row(layout: Layout) -> int:
    if layout.format == "string":
        return 1 + 2 * layout.n_channels
    return 1 + layout.n_channels * DTYPES[layout.format].itemsize


class _Overrun(Exception):
    pass


def _decode_numbers(content: Bytes, n: int, layout: Layout, last_s: float) -> Samples:
    dtype = DTYPES[layout.format]
    width = layout.n_channels * dtype.itemsize
    times = np.empty(n)
    values = np.empty((n, layout.n_channels), dtype)
    raw = np.frombuffer(content, np.uint8)
    period_s = 1.0 / layout.rate_hz if layout.rate_hz else 0.0
    at = done = 0
    while done < n:
        stamped = raw[at] != 0
        row = width + (9 if stamped else 1)
        fits = min(n - done, (len(raw) - at) // row)
        if not fits:
            raise _Overrun(f"{n - done} are missing")
        rows = raw[at : at + fits * row].reshape(fits, row)
        run = _run_length(rows[:, 0], stamped)
        to = slice(done, done + run)
        values[to] = rows[:run, row - width :].copy().view(dtype)
        if stamped:
            if not (rows[:run, 0] == 8).all():
                raise _Overrun("a stamp is not 8 bytes long")
            times[to] = rows[:run, 1:9].copy().view("<f8")[:, 0]
        else:
            steps = np.full(run + 1, period_s)
            steps[0] = last_s
            times[to] = np.add.accumulate(steps)[1:]
        last_s = float(times[to.stop - 1])
        at, done = at + run * row, to.stop
    if at != len(raw):
        raise _Overrun(f"{len(raw) - at} bytes are left over")
    return Samples(times, values)


def _run_length(flags: NDArray[np.uint8], stamped: bool) -> int:
    other = np.flatnonzero((flags != 0) != stamped)
    return int(other[0]) if len(other) else len(flags)


def _decode_texts(content: Bytes, n: int, layout: Layout, last_s: float) -> Samples:
    times = np.empty(n)
    rows = []
    period_s = 1.0 / layout.rate_hz if layout.rate_hz else 0.0
    at = 0
    for i in range(n):
        if content[at] not in (0, 8):
            raise _Overrun("a stamp is not 8 bytes long")
        if content[at]:
            last_s = struct.unpack_from("<d", content, at + 1)[0]
            at += 9
        else:
            last_s += period_s
            at += 1
        times[i] = last_s
        row = []
        for _ in range(layout.n_channels):
            length, begin = _varlen(content, at, len(content))
            at = begin + length
            if at > len(content):
                raise _Overrun("a text is cut off")
            row.append(bytes(content[begin:at]).decode("utf-8", "replace"))
        rows.append(tuple(row))
    if at != len(content):
        raise _Overrun(f"{len(content) - at} bytes are left over")
    return Samples(times, None, tuple(rows))


def _varlen(data: Bytes, offset: int, stop: int) -> tuple[int, int]:
    """Return the number of variable length at `offset`, and where it ends."""
    n = data[offset] if offset < stop else 0
    if n not in (1, 4, 8):
        raise DamagedChunk(offset, f"a number cannot be {n} bytes long")
    end = offset + 1 + n
    if end > stop:
        raise DamagedChunk(offset, "a number is cut off", is_cut=True)
    return int.from_bytes(data[offset + 1 : end], "little"), end


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
