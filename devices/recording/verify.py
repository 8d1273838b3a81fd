"""Is a recording whole, and what was written? Every chunk, stamp, gap, footer and checksum."""

from __future__ import annotations

import hashlib
import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from devices.recording.checksums import read_checksums
from devices.recording.pieces import Piece, State, map_file, pieces_of
from devices.recording.tally import StreamReport, Tally
from devices.recording.xdf_chunks import (
    DamagedChunk,
    Layout,
    Samples,
    decode,
    parse_header,
    parse_xml,
)
from devices.recording.xdf_format import Tag

__all__ = ["Damage", "Report", "Verdict", "decoded", "verify"]

_LET_GO_BYTES = 32 << 20

Verdict = Literal["clean", "unchecked", "unfinished", "damaged"]
"""
clean
    Every byte has the checksum that was taken when it was written, and the end is there.
unchecked
    Its form is right; whether its samples are, nobody can tell: there are no checksums.
unfinished
    All that was acknowledged is there and right; the recording was not ended in good order.
damaged
    Something that was written is not there any more, or not as it was.
"""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a file.

    Parameters
    ----------
    offset, n_bytes
        Where.
    state, why
        What.
    stream
        The stream it belongs to; 0 for none or unknown.
    n_samples
        Samples that are in it; None when that is not known. They are lost, unless it only moved.
    """

    offset: int
    n_bytes: int
    state: State
    why: str
    stream: int
    n_samples: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found.

    Parameters
    ----------
    path
        The file.
    n_bytes
        Its size.
    verdict
        All of it in a word.
    has_checksums
        There is a sidecar.
    n_damaged_records
        Records of the sidecar that are damaged themselves.
    chunks
        Number of chunks in each state.
    damages
        What is wrong, in the order of the file.
    streams
        Each stream, in the order of their headers.
    sha256
        Of all streams' samples and stamps; how they were cut into chunks does not matter.
    """

    path: str
    n_bytes: int
    verdict: Verdict
    has_checksums: bool
    n_damaged_records: int
    chunks: dict[State, int]
    damages: tuple[Damage, ...]
    streams: tuple[StreamReport, ...]
    sha256: str


@dataclass
class Decoded:
    """One piece of a file with what it holds: the samples, where there are any."""

    piece: Piece
    layout: Layout | None = None
    samples: Samples | None = None
    text: bytes = b""
    offset: tuple[float, float] | None = field(default=None)


def verify(path: Path | str) -> Report:
    """Read a whole recording and judge it. Memory stays bounded whatever its size.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such file, or it is not XDF.
    """
    path = Path(path)
    sums = read_checksums(path)
    data = map_file(path)
    tallies: dict[int, Tally] = {}
    states: Counter[State] = Counter()
    damages = []
    for found in decoded(data, pieces_of(data, sums)):
        piece = found.piece
        states[piece.state] += 1
        if piece.state not in ("sound", "unchecked"):
            damages.append(
                Damage(
                    piece.offset,
                    piece.end - piece.offset,
                    piece.state,
                    piece.why,
                    piece.stream,
                    piece.n_samples,
                )
            )
        _count(found, tallies)
    streams = tuple(tally.report() for tally in tallies.values())
    n_damaged_records = 0 if sums is None else sums.n_damaged
    return Report(
        path=str(path),
        n_bytes=len(data),
        verdict=_verdict(states, streams, sums is not None, n_damaged_records),
        has_checksums=sums is not None,
        n_damaged_records=n_damaged_records,
        chunks=dict(states),
        damages=tuple(damages),
        streams=streams,
        sha256=hashlib.sha256("".join(s.sha256 for s in streams).encode()).hexdigest(),
    )


def decoded(data: memoryview, pieces: Iterator[Piece]) -> Iterator[Decoded]:
    """Yield every piece with what it holds; one that turns out to hold nonsense is damaged."""
    layouts: dict[int, Layout] = {}
    last_s: dict[int, float] = {}
    done = 0
    for piece in pieces:
        if piece.offset - done > _LET_GO_BYTES:
            done = _let_go(data, done, piece.offset)
        try:
            found = _decode(data, piece, layouts, last_s)
        except DamagedChunk as e:
            found = Decoded(
                Piece(
                    piece.offset, piece.end, "damaged", None, piece.stream, piece.n_samples, e.why
                )
            )
        yield found


def _let_go(data: memoryview, start: int, stop: int) -> int:
    """Give back the memory of pages that have been read; return up to where."""
    stop -= stop % mmap.ALLOCATIONGRANULARITY
    if isinstance(data.obj, mmap.mmap):
        data.obj.madvise(mmap.MADV_DONTNEED, start, stop - start)
    return stop


def _decode(
    data: memoryview, piece: Piece, layouts: dict[int, Layout], last_s: dict[int, float]
) -> Decoded:
    chunk = piece.chunk
    if chunk is None or chunk.tag in (Tag.FILE_HEADER, Tag.BOUNDARY):
        return Decoded(piece)
    content = data[chunk.content : chunk.end]
    if chunk.tag == Tag.STREAM_HEADER:
        if chunk.stream in layouts:
            raise DamagedChunk(chunk.offset, f"stream {chunk.stream} has a second header")
        layouts[chunk.stream] = parse_header(content, chunk.offset)
        return Decoded(piece, layouts[chunk.stream], text=bytes(content))
    if chunk.stream not in layouts:
        raise DamagedChunk(chunk.offset, f"the header of stream {chunk.stream} is not there")
    layout = layouts[chunk.stream]
    if chunk.tag == Tag.SAMPLES:
        samples = decode(data, chunk, layout, last_s.get(chunk.stream, 0.0))
        if len(samples.times):
            last_s[chunk.stream] = float(samples.times[-1])
        return Decoded(piece, layout, samples)
    if chunk.tag == Tag.STREAM_FOOTER:
        parse_xml(content, chunk.offset)
        return Decoded(piece, layout, text=bytes(content))
    if len(content) != 16:
        raise DamagedChunk(chunk.offset, f"a clock offset of {len(content)} bytes")
    time_s, offset_s = memoryview(bytes(content)).cast("d")
    return Decoded(piece, layout, offset=(time_s, offset_s))


def _count(found: Decoded, tallies: dict[int, Tally]) -> None:
    chunk = found.piece.chunk
    if chunk is None or found.layout is None:
        return
    if chunk.tag == Tag.STREAM_HEADER:
        tallies[chunk.stream] = Tally(chunk.stream, found.layout)
    elif found.samples is not None:
        tallies[chunk.stream].add(found.samples)
    elif found.offset is not None:
        tallies[chunk.stream].add_offset(*found.offset)
    else:
        tallies[chunk.stream].end(parse_xml(found.text))


def _verdict(
    states: Counter[State],
    streams: tuple[StreamReport, ...],
    has_checksums: bool,
    n_damaged_records: int,
) -> Verdict:
    if states["damaged"] or states["missing"] or states["moved"] or n_damaged_records:
        return "damaged"
    if any(s.footer == "differs" for s in streams):
        return "damaged"
    if states["torn"] or not streams or any(s.footer == "missing" for s in streams):
        return "unfinished"
    if not has_checksums or states["unchecked"]:
        return "unchecked"
    return "clean"
