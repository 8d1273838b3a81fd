"""XDF, the format of Lab Streaming Layer recordings: several streams, each with a clock of its own.

Times and values are those of ``pyxdf.load_xdf`` (clock offsets, resets and jitter handled by the
same rules), but only stamps and offsets are taken in at opening; values stay in the file.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused
from devices.gaps import find_gaps
from devices.recording.track import RecordingFile, Track
from devices.recording.xdf_clock import ClockCorrection, EvenedOut, offset_is_corrupt
from devices.recording.xdf_header import FORMATS
from devices.recording.xdf_heads import damaged
from devices.recording.xdf_index import StreamIndex, XdfIndex, index_xdf
from devices.recording.xdf_samples import (
    MAX_STAMP_S,
    Piece,
    check_chunk,
    decode_texts,
    decode_values,
    iterate_pieces,
)
from devices.signal import Marker, Signal
from devices.units import standard

__all__ = ["open_file"]

#: What a decoder most likely wants, first.
_PREFERENCE = ("eeg", "ecog", "ieeg", "seeg", "lfp", "exg", "meg", "spikes")

#: A stream of more than this is opened by its chunks, if none of them is too long.
_LARGE_BYTES = 128 << 20
_LARGE_CHUNK_BYTES = 8 << 20

#: More markers than anybody has pressed keys.
_MOST_MARKERS = 1_000_000

_EVENT_WORDS = ("marker", "event", "trigger", "stim")


class _Timeline:
    """The times of a stream, and where its samples lie.

    All stamps of a stream are looked at to even them out. Of one that is too large for that, only
    the first of each chunk is: its times are those written, and are read when they are asked for.
    """

    def __init__(self, path: Path, fd: int, stream: StreamIndex, n_max: int | None) -> None:
        header = stream.header
        self._path, self._fd, self._stream = path, fd, stream
        self._clock = ClockCorrection(stream.clock_times, stream.clock_values)
        self._even: EvenedOut | None = None
        self._decoded: tuple[int, NDArray[np.generic], NDArray[np.float64]] | None = None
        self.is_large = _is_large(stream) and n_max is None
        self.chunk_times = np.empty(0)
        if self.is_large:
            self._straight = False
            self._take_chunks()
        else:
            self._even = EvenedOut(header.rate_hz)
            self._straight = not header.can_drop_samples
            self._take_all(n_max)

    def _take_all(self, n_max: int | None) -> None:
        assert self._even is not None
        self._pieces: list[Piece] = []
        firsts = [0]
        for piece, stamps in iterate_pieces(self._path, self._fd, self._stream):
            kept = stamps if n_max is None else stamps[: max(n_max - firsts[-1], 0)]
            if len(kept):
                self._even.feed(self._clock.feed(kept))
                self._pieces.append(piece)
                firsts.append(firsts[-1] + len(kept))
        self.firsts = np.array(firsts, np.int64)
        self._breaks = np.array(self._even.breaks, np.int64)

    def _take_chunks(self) -> None:
        places, rate_hz = self._stream.places, self._stream.header.rate_hz
        if not (np.abs(places.firsts_s) < MAX_STAMP_S).all():
            odd = int(np.argmin(np.abs(places.firsts_s) < MAX_STAMP_S))
            raise damaged(self._path, int(places.offsets[odd]), "a stamp that is no time")
        self.firsts = np.concatenate([[0], np.cumsum(places.counts)])
        self._clock.feed_some(self.firsts[:-1], places.firsts_s)
        self.chunk_times = self._clock.at_samples(self.firsts[:-1], places.firsts_s)
        # A chunk lasts as long as its samples: what comes later than that is missing.
        ends = self.chunk_times[:-1] + (places.counts[:-1] - 1) / rate_hz
        edges = np.column_stack([ends, self.chunk_times[1:]])
        at = find_gaps(edges.ravel(), rate_hz)
        self._breaks = self.firsts[1:-1][(at[at % 2 == 1] - 1) // 2]

    @property
    def n_pieces(self) -> int:
        return len(self.firsts) - 1

    @property
    def n_samples(self) -> int:
        return int(self.firsts[-1])

    def breaks(self) -> NDArray[np.int64]:
        return self._breaks

    def effective_rate_hz(self) -> float:
        return self._even.effective_rate_hz() if self._even else 0.0

    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        if self._even and self._straight:
            return self._even.times(first, stop)
        return self.stamps(first, stop)

    def stamps(self, first: int, stop: int) -> NDArray[np.float64]:
        return self._clock.at(first, self.read(first, stop)[1])

    def read(self, first: int, stop: int) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Return values and stamps as they are in the file."""
        at = int(np.searchsorted(self.firsts, first, side="right")) - 1
        header = self._stream.header
        values: list[NDArray[np.generic]] = [
            np.empty((0, len(header.labels)), FORMATS[header.format])
        ]
        stamps = [np.empty(0)]
        while at < self.n_pieces and self.firsts[at] < stop:
            start = int(self.firsts[at])
            cut = slice(max(first - start, 0), stop - start)
            _, of_piece, stamps_of_piece = self._decode(at)
            values.append(of_piece[cut])
            stamps.append(stamps_of_piece[cut])
            at += 1
        return np.concatenate(values), np.concatenate(stamps)

    def _decode(self, at: int) -> tuple[int, NDArray[np.generic], NDArray[np.float64]]:
        """Decode a piece; the last one is kept, as reading goes on where it ended."""
        if self._decoded is None or self._decoded[0] != at:
            decoded = decode_values(self._path, self._fd, self._piece(at), self._stream)
            self._decoded = (at, *decoded)
        return self._decoded

    def _piece(self, at: int) -> Piece:
        if not self.is_large:
            return self._pieces[at]
        places = self._stream.places
        check_chunk(self._path, self._fd, places, at)
        return Piece(int(places.offsets[at]), int(places.stops[at]), int(places.counts[at]), 0.0)


def _is_large(stream: StreamIndex) -> bool:
    """Say whether a stream is too large to look at every stamp, and need not be."""
    places = stream.places
    return (
        stream.n_samples * (8 + stream.header.value_bytes) > _LARGE_BYTES
        and int((places.stops - places.offsets).max()) <= _LARGE_CHUNK_BYTES
        and not np.isnan(places.firsts_s).any()
    )


class _XdfTrack(Track):
    """Some channels of a stream: those of one unit."""

    def __init__(
        self, name: str, stream: StreamIndex, timeline: _Timeline, columns: NDArray[np.intp]
    ) -> None:
        header = stream.header
        standards = [standard(header.units[column]) for column in columns]
        stated = {header.units[column] for column in columns}
        self.name = name
        self.kind = header.kind.lower()
        self.signal = Signal(
            header.rate_hz, tuple(header.labels[column] for column in columns), standards[0][0]
        )
        self.stated_unit = stated.pop() if len(stated) == 1 else standards[0][0]
        self.scale = np.array([scale for _, scale in standards])
        self.n_samples = timeline.n_samples
        self.breaks = timeline.breaks()
        self._timeline = timeline
        self._columns = columns

    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples `first` up to but without `stop`, in seconds."""
        return self._timeline.times(first, stop)

    def index_at(self, time_s: float) -> int:
        """Return the first sample at or after `time_s`; `n_samples` if there is none."""
        timeline = self._timeline
        if not timeline.is_large or time_s <= timeline.chunk_times[0]:
            return super().index_at(time_s)
        chunk = int(np.searchsorted(timeline.chunk_times, time_s, side="right")) - 1
        first, stop = timeline.firsts[chunk : chunk + 2].tolist()
        return first + int(np.searchsorted(timeline.times(first, stop), time_s))

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples `first` up to but without `stop`, (stop - first, n_channels)."""
        values = self._timeline.read(first, stop)[0][:, self._columns]
        with np.errstate(all="ignore"):  # whoever plays counts what is not finite
            return np.multiply(values, self.scale, dtype=np.float64).astype(np.float32)

    def stamps(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the stamps in the file, corrected by the clock offsets alone, in seconds."""
        return self._timeline.stamps(first, stop)

    def stored(self, first: int, stop: int) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Return the numbers in the file, and their factors; see `Track.stored`."""
        values = self._timeline.read(first, stop)[0][:, self._columns]
        return values, np.broadcast_to(self.scale, len(self._columns)).astype(np.float64)


def open_file(path: Path) -> RecordingFile:
    """Open an XDF file.

    Raises
    ------
    DeviceRefused
        It is no XDF file, damaged (says at which byte), or holds no stream of numbers with a rate.
    """
    file = _Descriptor(path)
    try:
        index = index_xdf(path, file.fd)
        return _read_index(path, file, index)
    except BaseException:
        file.close()
        raise


class _Descriptor:
    """An open file that closes once."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _read_index(path: Path, file: _Descriptor, index: XdfIndex) -> RecordingFile:
    notes = list(index.notes)
    tracks: list[_XdfTrack] = []
    markers: dict[str, tuple[Marker, ...]] = {}
    for number, stream in index.streams.items():
        header = stream.header
        if header.kind.startswith("bci."):
            continue  # what a recorder of ours says of the session; see `recorded`
        name = header.name or f"stream {number}"
        if name in markers or any(track.name == name for track in tracks):
            name = f"{name} (stream {number})"
        n_max = _without_garbage(stream, name, notes)
        if stream.n_samples > _MOST_MARKERS and not (header.rate_hz and header.format != "string"):
            notes.append(f"left out {name!r}: {stream.n_samples} markers are too many")
        elif header.format == "string":
            markers[name] = _text_markers(path, file.fd, stream, n_max)
        elif header.rate_hz:
            tracks += _tracks(path, file.fd, name, stream, n_max, notes)
        elif len(header.labels) == 1 and any(word in header.kind.lower() for word in _EVENT_WORDS):
            markers[name] = _number_markers(path, file.fd, stream, n_max)
        else:
            notes.append(f"left out {name!r}: it has no rate, and is no stream of markers")
    if not tracks:
        raise DeviceRefused(
            f"{path} holds no stream of numbers with a rate; "
            f"it has {', '.join(map(repr, markers)) or 'no streams'}"
        )
    return RecordingFile(
        path=path,
        tracks=tuple(tracks),
        default=_default(tracks),
        markers=_in_order(markers, index),
        notes=tuple(notes),
        close=file.close,
    )


def _without_garbage(stream: StreamIndex, name: str, notes: list[str]) -> int | None:
    """Drop what liblsl writes for an outlet that vanished; return how many samples are real."""
    n_samples, stated = stream.n_samples, stream.footer_count
    if stated is None or n_samples <= stated:
        return None
    if not offset_is_corrupt(stream.clock_times, stream.clock_values):
        return None
    del stream.clock_times[-1], stream.clock_values[-1]
    notes.append(
        f"{name!r} holds {n_samples} samples, its footer says {stated}, and its last clock offset "
        "is garbage (liblsl issue 246): offset and samples in excess were left out"
    )
    return stated


def _tracks(
    path: Path, fd: int, name: str, stream: StreamIndex, n_max: int | None, notes: list[str]
) -> list[_XdfTrack]:
    """Return a track for each unit that the stream's channels have; the commonest first."""
    timeline = _Timeline(path, fd, stream, n_max)
    if timeline.is_large:
        notes.append(f"{name!r} is large: its times are those written, not evened out")
    units = [standard(unit)[0] for unit in stream.header.units]
    tracks: list[_XdfTrack] = []
    for unit, _ in Counter(units).most_common():
        columns = np.array([i for i, other in enumerate(units) if other == unit])
        of_unit = f"{name} [{unit}]" if tracks else name
        tracks.append(_XdfTrack(of_unit, stream, timeline, columns))
    rate_hz, effective_hz = stream.header.rate_hz, timeline.effective_rate_hz()
    if effective_hz and abs(effective_hz - rate_hz) > 0.01 * rate_hz:
        notes.append(f"{name!r} states {rate_hz:g} Hz but came at {effective_hz:.4g} Hz")
    return tracks


def _text_markers(
    path: Path, fd: int, stream: StreamIndex, n_max: int | None
) -> tuple[Marker, ...]:
    stamps, texts = decode_texts(path, fd, stream)
    return _markers(stream, stamps[:n_max], texts[:n_max])


def _number_markers(
    path: Path, fd: int, stream: StreamIndex, n_max: int | None
) -> tuple[Marker, ...]:
    stamps, texts = [np.empty(0)], []
    for piece, of_piece in iterate_pieces(path, fd, stream):
        stamps.append(of_piece)
        texts += [f"{value:g}" for value in decode_values(path, fd, piece, stream)[0][:, 0]]
    return _markers(stream, np.concatenate(stamps)[:n_max], texts[:n_max])


def _markers(
    stream: StreamIndex, stamps: NDArray[np.float64], texts: list[str]
) -> tuple[Marker, ...]:
    times = ClockCorrection(stream.clock_times, stream.clock_values).feed(stamps)
    if stream.header.rate_hz and len(times) and not stream.header.can_drop_samples:
        even = EvenedOut(stream.header.rate_hz)
        even.feed(times)
        times = even.times(0, len(times))
    found = [
        Marker(time_s, text) for time_s, text in zip(times.tolist(), texts, strict=True) if text
    ]
    return tuple(sorted(found, key=lambda marker: marker.time_s))


def _default(tracks: list[_XdfTrack]) -> _XdfTrack | None:
    full = [track for track in tracks if track.n_samples]
    for kind in _PREFERENCE:
        of_kind = [track for track in full if track.kind == kind and not track.name.endswith("]")]
        if of_kind:
            return of_kind[0] if len(of_kind) == 1 else None
    return full[0] if len(full) == 1 else None


def _in_order(
    markers: dict[str, tuple[Marker, ...]], index: XdfIndex
) -> dict[str, tuple[Marker, ...]]:
    """Put first what is meant when nobody names a list: what is typed as markers, else all."""
    kinds = {stream.header.name: stream.header.kind.lower() for stream in index.streams.values()}
    typed = [name for name in markers if "marker" in kinds.get(name, "")] or list(markers)
    if len(typed) > 1:
        merged = [marker for name in typed for marker in markers[name]]
        merged.sort(key=lambda marker: marker.time_s)
        return {" + ".join(typed): tuple(merged), **markers}
    return {name: markers[name] for name in [*typed, *markers]}
