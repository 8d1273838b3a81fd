"""A session that this server recorded, read back: exactly what was fed to the decoder, and when.

The other end of `bci_server.recording.file`. Each turn of the loop wrote its samples, the times
that the decoder saw where the sender had stamps of its own, what went in with them, and at last a
row that says how much it was: ``first, n, gap, received``. A turn without its row is torn, and
left out; a row without its samples tells that they are lost.

Opening reads the index and the first row only, so its cost does not grow with the samples.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.xdf_header import FORMATS, XdfHeader
from devices.recording.xdf_heads import damaged
from devices.recording.xdf_index import StreamIndex, index_xdf
from devices.recording.xdf_samples import MAX_STAMP_S, texts_at
from devices.signal import Event, EventKind, Marker, Signal

__all__ = ["Recorded", "Turn"]

_AHEAD_BYTES = 1 << 20
_LONGEST_TEXT_BYTES = 8 << 20
_N_ROW = 4


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the loop fed to the decoder.

    Parameters
    ----------
    first
        Index of the chunk's first sample, counted from the first of the recorded run.
    values, times
        (n, n_channels) and (n,) float64, as the decoder saw them.
    sender_times
        (n,) float64, the sender's own stamps; None where there were none.
    gap
        Samples are missing before: they were when this was recorded, or the file lost them.
    received_s
        When they came, on the clock of the machine that recorded.
    markers, events
        What went in with them.
    """

    first: int
    values: NDArray[Any]
    times: NDArray[np.float64]
    sender_times: NDArray[np.float64] | None
    gap: bool
    received_s: float
    markers: tuple[Marker, ...] = ()
    events: tuple[Event, ...] = ()


class Recorded:
    """A recorded session; a file that is open.

    Attributes
    ----------
    path
        The file.
    name, identity
        The session's, and the device's.
    signal, truth_signal
        What the device gave.
    about
        What was known of the session: its file's text, the model's hash …
    received_s
        (n_turns,) float64: when the samples of each turn came.
    notes
        What is wrong with the file.
    """

    def __init__(self, path: Path, fd: int) -> None:
        index = index_xdf(path, fd)
        self._window = _Window(path, fd)
        self._fd = fd
        self.path = path
        self.notes = list(index.notes)
        streams = list(index.streams.values())
        main = next((s for s in streams if s.header.about), None)
        rows = _of_kind(streams, "bci.chunks")
        if main is None or rows is None:
            raise DeviceRefused(
                f"{path} was not recorded by this server, so it cannot be replayed exactly; as a "
                "recording it can be played: kind = 'recording'"
            )
        header = main.header
        self.name, self.identity = header.name, header.source_id
        self.about: Mapping[str, str] = header.about
        self.signal = _signal(path, header)
        of_truth = f"{header.source_id}:truth"
        truth = next((s for s in streams if s.header.source_id == of_truth), None)
        self.truth_signal = None if truth is None else _signal(path, truth.header)
        self._main = _Numbers(self._window, main, header.format)
        self._rows = _Numbers(self._window, rows, "double64")
        if len(rows.header.labels) != _N_ROW:
            raise DeviceRefused(f"{path}: its turns have {len(rows.header.labels)} fields, not 4")
        times = _of_kind(streams, "bci.times")
        self._times = None if times is None else _Numbers(self._window, times, "double64")
        self._truth = None if truth is None else _Numbers(self._window, truth, "float32")
        self._feed = _of_kind(streams, "bci.feed")
        self._outputs = _of_kind(streams, "bci.outputs")
        self._log = _of_kind(streams, "bci.log")
        self._lay_out(rows)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a recording of this server's.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            There is none, or it is somebody else's, or damaged.
        """
        path = Path(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as e:
            raise DeviceNotFound(f"there is no file {path}") from e
        try:
            return cls(path, fd)
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def n_turns(self) -> int:
        """Number of whole turns."""
        return len(self.received_s)

    @property
    def session_text(self) -> str:
        """The session file that was recorded with it; empty if none was."""
        return self.about.get("session_file", "")

    def turns(self, start: int = 0) -> Iterator[Turn]:
        """Yield the turns from number `start` on. The arrays are new, and the reader's to keep.

        Raises
        ------
        DeviceRefused
            The file is damaged; says where.
        """
        before_end: int | None = None
        for k in range(start, self.n_turns):
            first, n, gap, received_s = self._rows.row(k)
            at = int(self._turn_main[k])
            if not (0 <= first < 2**53 and n == self._main.count(at)):
                start_byte = int(self._rows.starts[k])
                raise damaged(self.path, start_byte, f"a turn of {n:g} samples from {first:g} on")
            is_new = before_end is not None and before_end != first
            before_end = int(first + n)
            stamps, values = self._main.samples(at)
            times = stamps
            if self._times is not None:
                times = self._times.values(int(self._turn_times[k]))[:, 0].copy()
                if len(times) != n:
                    raise damaged(self.path, int(self._rows.starts[k]), "a turn without its times")
            markers, events = self._fed(k)
            yield Turn(
                int(first),
                values,
                times,
                None if self._times is None else stamps,
                bool(gap) or is_new or bool(self._has_lost[k]),
                received_s,
                markers,
                events,
            )

    def truth(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
        """Return the truth that came with turn `k`: (n,) times and (n, n_channels) values."""
        if self._truth is None:
            return None
        after = self._rows.starts[k + 1] if k + 1 < self.n_turns else np.iinfo(np.int64).max
        low, high = np.searchsorted(self._truth.starts, (self._rows.starts[k], after)).tolist()
        if low == high:
            return None
        both = [self._truth.samples(i) for i in range(low, high)]
        return np.concatenate([t for t, _ in both]), np.concatenate([v for _, v in both])

    def lines(self) -> Iterator[str]:
        """Yield the lines of the transcript, see `decoders.transcript`."""
        yield from self._texts(self._outputs)

    def log(self) -> list[dict[str, Any]]:
        """Return the log: the start, what was lost, the end; without the last if it was killed."""
        return [self._json(text) for text in self._texts(self._log)]

    def turn_at(self, time_s: float) -> int:
        """Return the first turn that came at `time_s` after the first one, or later."""
        return int(np.searchsorted(self.received_s, self.received_s[0] + time_s))

    def _lay_out(self, rows: StreamIndex) -> None:
        """Find out which chunks belong to which turn: they lie between its row and the last."""
        starts, mains = rows.places.starts, self._main.starts
        at = np.searchsorted(mains, starts) - 1
        before = np.concatenate([[-1], at[:-1]])
        is_whole = at > before
        n_lost = int(len(starts) - is_whole.sum())
        if n_lost:
            self.notes.append(f"the samples of {n_lost} reads are not there any more")
        kept = np.flatnonzero(is_whole)
        lost = np.flatnonzero(~is_whole)
        self._rows.keep(kept)
        self._turn_main = at[kept]
        skipped = np.diff(self._turn_main, prepend=-1) > 1  # samples without a row of their own
        self._has_lost = skipped | (np.diff(np.searchsorted(lost, kept), prepend=0) > 0)
        self.received_s = self._rows.firsts_s
        if self._times is not None:
            self._turn_times = np.searchsorted(self._times.starts, self._rows.starts) - 1
        self._turn_feed = None
        if self._feed is not None:
            feeds = self._feed.places.starts
            self._turn_feed = np.searchsorted(feeds, self._rows.starts) - 1
        if not (np.abs(self.received_s) < MAX_STAMP_S).all():
            raise DeviceRefused(f"{self.path}: a turn has no time")

    def _fed(self, k: int) -> tuple[tuple[Marker, ...], tuple[Event, ...]]:
        if self._turn_feed is None or self._feed is None or self._turn_feed[k] < 0:
            return (), ()
        at = int(self._turn_feed[k])
        places = self._feed.places
        if places.starts[at] < self._main.starts[self._turn_main[k]]:
            return (), ()  # another turn's
        markers: list[Marker] = []
        events: list[Event] = []
        for text in self._texts_of(self._feed, at):
            document = self._json(text)
            try:
                markers += [
                    Marker(float(m["time_s"]), str(m["label"])) for m in document["markers"]
                ]
                events += [_event(e) for e in document["events"]]
            except (KeyError, TypeError, ValueError, OverflowError) as e:
                raise damaged(self.path, int(places.starts[at]), "no markers and events") from e
        return tuple(markers), tuple(events)

    def _json(self, text: str) -> dict[str, Any]:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise DeviceRefused(f"{self.path}: {text[:80]!r} is not JSON") from e
        if not isinstance(document, dict):
            raise DeviceRefused(f"{self.path}: {text[:80]!r} is not a JSON object")
        return document

    def _texts(self, stream: StreamIndex | None) -> Iterator[str]:
        if stream is not None:
            for at in range(len(stream.places.starts)):
                yield from self._texts_of(stream, at)

    def _texts_of(self, stream: StreamIndex, at: int) -> list[str]:
        places = stream.places
        start, offset, stop = (int(a[at]) for a in (places.starts, places.offsets, places.stops))
        if stop - start > _LONGEST_TEXT_BYTES:
            raise damaged(self.path, start, f"a text of {stop - start} bytes")
        view = self._window.get(start, stop, None if places.crcs is None else int(places.crcs[at]))
        return texts_at(self.path, bytes(view[offset - start :]), offset, int(places.counts[at]))


class _Window:
    """Reads a file ahead, in stretches."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd
        self._start = 0
        self._view = memoryview(b"")

    def get(self, start: int, stop: int, crc: int | None) -> memoryview:
        """Return bytes of the file, held against their checksum if there is one."""
        begin, end = start - self._start, stop - self._start
        if begin < 0 or end > len(self._view):
            self._start = start
            self._view = memoryview(os.pread(self._fd, max(_AHEAD_BYTES, stop - start), start))
            begin, end = 0, stop - start
        view = self._view[begin:end]
        if len(view) < stop - start:
            raise damaged(self.path, start, "the file has changed since it was opened")
        if crc is not None and crc32c(view) != crc:
            raise damaged(
                self.path, start, f"a checksum is wrong. bci recover {self.path} saves the rest"
            )
        return view


class _Numbers:
    """The chunks of a stream of numbers in which every sample has a stamp."""

    def __init__(self, window: _Window, stream: StreamIndex, format_: str) -> None:
        header, places = stream.header, stream.places
        if header.format != format_ or format_ not in FORMATS:
            raise DeviceRefused(f"{header.name!r} holds {header.format}; no recorder writes that")
        self._window = window
        self._width = len(header.labels)
        self._row = np.dtype([("n", "u1"), ("t", "<f8"), ("v", FORMATS[format_], (self._width,))])
        self._one = struct.Struct(f"<Bd{self._width}d")
        self._offsets, self._stops, self._counts = places.offsets, places.stops, places.counts
        self._crcs = places.crcs
        self.starts, self.firsts_s = places.starts, places.firsts_s

    def keep(self, which: NDArray[np.intp]) -> None:
        """Forget all chunks but `which`."""
        self._offsets, self._stops = self._offsets[which], self._stops[which]
        self._counts = self._counts[which]
        self._crcs = None if self._crcs is None else self._crcs[which]
        self.starts, self.firsts_s = self.starts[which], self.firsts_s[which]

    def count(self, at: int) -> int:
        return int(self._counts[at])

    def values(self, at: int) -> NDArray[Any]:
        """Return the values of a chunk, (n, n_channels); they hold until the next chunk is read."""
        return self._rows(at)["v"]

    def row(self, at: int) -> tuple[float, ...]:
        """Return the values of a chunk of float64 that has one sample."""
        start, offset, stop = int(self.starts[at]), int(self._offsets[at]), int(self._stops[at])
        crc = None if self._crcs is None else int(self._crcs[at])
        view = self._window.get(start, stop, crc)
        if stop - offset != self._row.itemsize or self._counts[at] != 1:
            raise damaged(self._window.path, start, "a turn of several rows")
        flag, _, *values = self._one.unpack_from(view, offset - start)
        if flag != 8:
            raise damaged(self._window.path, start, "samples without stamps")
        return tuple(values)

    def samples(self, at: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        rows = self._rows(at)
        return rows["t"].copy(), rows["v"].copy()

    def _rows(self, at: int) -> NDArray[Any]:
        start, offset, stop = int(self.starts[at]), int(self._offsets[at]), int(self._stops[at])
        n = int(self._counts[at])
        crc = None if self._crcs is None else int(self._crcs[at])
        view = self._window.get(start, stop, crc)
        if n * self._row.itemsize != stop - offset:
            raise damaged(self._window.path, start, f"{n} samples in {stop - offset} bytes")
        rows = np.frombuffer(view, self._row, n, offset - start)
        if bytes(view[offset - start : stop - start : self._row.itemsize]) != b"\x08" * n:
            raise damaged(self._window.path, start, "samples without stamps")
        return rows


def _event(document: object) -> Event:
    if not isinstance(document, dict):
        raise TypeError(f"an event is a table, not {document!r}")
    kind, heard = document.get("kind", "marker"), document.get("heard")  # not in older files
    if kind not in get_args(EventKind):
        raise ValueError(f"no kind of event: {kind!r}")
    return Event(
        int(document["sample"]),
        str(document["label"]),
        str(document["source"]),
        kind,
        tuple(float(v) for v in document.get("values", ())),
        None if heard is None else int(heard),
    )


def _of_kind(streams: list[StreamIndex], kind: str) -> StreamIndex | None:
    return next((s for s in streams if s.header.kind == kind), None)


def _signal(path: Path, header: XdfHeader) -> Signal:
    try:
        return Signal(header.rate_hz, header.labels, header.units[0])
    except ValueError as e:
        raise DeviceRefused(f"{path}: {header.name!r}: {e}") from e
