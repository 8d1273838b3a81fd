"""A recording read whole: what every export starts from.

Values are the numbers in the file, not converted. Times are as the samples were stamped, brought
onto one clock and not smoothed; in recordings of this server, as the decoder saw them. Nothing
reaches a new file that is not in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from bci_server.export.outputs import Outputs, read_outputs
from bci_server.export.report import ExportError
from devices.device import DeviceNotFound
from devices.gaps import find_gaps
from devices.recording.about import About, read_about
from devices.recording.formats import ending_of, open_recording
from devices.recording.track import RecordingFile, Track
from devices.signal import Marker

__all__ = ["Series", "Source", "read_source"]

_WORKING_COPIES = 4
"""Writers hold so many copies of the samples, in float64, at a time."""


@dataclass(frozen=True, slots=True)
class Series:
    """One stream of samples.

    Parameters
    ----------
    name, kind
        What it is called, and what it holds, as in `devices.recording.track.Track`.
    channels, unit, rate_hz
        As in `devices.signal.Signal`.
    values
        (n, n_channels), the numbers in the file, of its type.
    scale
        (n_channels,) float64: values times `scale` are in `unit`.
    times
        (n,) float64, in seconds.
    breaks
        (n_breaks,) int64: samples before which others are missing, by the file or their stamps.
    """

    name: str
    kind: str
    channels: tuple[str, ...]
    unit: str
    rate_hz: float
    values: NDArray[np.generic]
    scale: NDArray[np.float64]
    times: NDArray[np.float64]
    breaks: NDArray[np.int64]

    @property
    def stored_unit(self) -> str:
        """Unit of `values`; empty where it has no name."""
        factors = set(self.scale.tolist())
        if factors == {1.0}:
            return self.unit
        names = {1e6: "V", 1e3: "mV", 1e-3: "nV"} if self.unit == "uV" else {}
        return names.get(factors.pop(), "") if len(factors) == 1 else ""

    @property
    def is_converted(self) -> bool:
        """Whether the numbers in the file are of another unit than `unit`."""
        return not np.array_equal(self.scale, np.ones(len(self.scale)))

    def in_unit(self) -> NDArray[np.float64]:
        """Return the values in `unit`, (n, n_channels) float64."""
        values = np.asarray(self.values, np.float64)
        return values * self.scale if self.is_converted else values


@dataclass(frozen=True, slots=True)
class Source:
    """A recording.

    Parameters
    ----------
    path
        Where it is.
    about
        What is known beside the samples.
    series
        Its streams of samples; those without any are not among them.
    main
        The one that formats with a single stream hold.
    markers
        Lists of markers by name.
    main_list, main_markers
        The list that formats with a single one hold, and its markers; empty for none. It may be
        several of `markers` together.
    outputs
        What was decoded, in recordings of this server.
    notes
        What the reader found wrong.
    """

    path: Path
    about: About
    series: tuple[Series, ...]
    main: Series
    markers: Mapping[str, Sequence[Marker]]
    main_list: str
    main_markers: Sequence[Marker]
    outputs: Outputs = field(default_factory=Outputs)
    notes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return self.path.name[: len(self.path.name) - len(ending_of(self.path))]

    @property
    def start_s(self) -> float:
        """The time of the first sample of all, in seconds; exports count from it."""
        return min(float(series.times[0]) for series in self.series)


def read_source(path: Path, stream: str = "") -> Source:
    """Read a recording.

    Parameters
    ----------
    path
        The file.
    stream
        Name or kind of the main stream, where formats hold a single one; default: the one that
        would be decoded.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such file or stream, or it cannot be read.
    ExportError
        It has no samples, or more than there is memory for.
    """
    file = open_recording(path)
    try:
        tracks = [track for track in file.tracks if track.n_samples]
        if not tracks:
            raise ExportError(f"{path} holds no samples")
        main = _main(file, tracks, stream)
        _check_memory(path, tracks)
        outputs, inner = Outputs(), frozenset[str]()
        if ending_of(path) == ".xdf":
            outputs, inner = read_outputs(path)
        series = {id(track): _series(track, outputs.times.get(track.name)) for track in tracks}
        lists = {name: m for name, m in file.markers.items() if m and name not in inner}
        first = next(iter(lists), "")
        parts = lists.keys() - {first}
        is_merged = " + " in first and set(first.split(" + ")) <= parts
        return Source(
            path,
            read_about(path),
            tuple(series.values()),
            series[id(main)],
            {name: m for name, m in lists.items() if not (is_merged and name == first)},
            first,
            lists.get(first, ()),
            outputs,
            (*file.notes, *_cut_short(tracks, outputs)),
        )
    finally:
        file.close()


def _main(file: RecordingFile, tracks: list[Track], stream: str) -> Track:
    if not stream:
        return file.default if file.default in tracks and file.default else tracks[0]
    for track in tracks:
        if stream in (track.name, track.kind):
            return track
    names = ", ".join(repr(track.name) for track in tracks)
    raise DeviceNotFound(f"{file.path} has no stream {stream!r}; it has {names}")


def _series(track: Track, seen: NDArray[np.float64] | None) -> Series:
    """Read a stream; `seen` is when the decoder saw each sample, if that is in the file."""
    # Of a file that was torn off, the last samples may lack it; they were not acknowledged.
    n = track.n_samples if seen is None else min(track.n_samples, len(seen))
    values, scale = track.stored(0, n)
    signal = track.signal
    times = np.asarray(track.stamps(0, n) if seen is None else seen[:n], np.float64)
    breaks = np.union1d(track.breaks, find_gaps(times, signal.rate_hz)).astype(np.int64)
    return Series(
        track.name,
        track.kind,
        signal.channels,
        signal.unit,
        signal.rate_hz,
        values,
        scale,
        times,
        breaks[breaks < n],
    )


def _cut_short(tracks: list[Track], outputs: Outputs) -> list[str]:
    lacking = {
        track.name: track.n_samples - len(outputs.times[track.name])
        for track in tracks
        if track.name in outputs.times
    }
    return [
        f"the last {n} samples of {name!r} lack their times and are left out; the file was torn"
        for name, n in lacking.items()
        if n > 0
    ]


def _check_memory(path: Path, tracks: list[Track]) -> None:
    n_values = sum(track.n_samples * track.signal.n_channels for track in tracks)
    needed = 8 * _WORKING_COPIES * n_values
    available = psutil.virtual_memory().available
    if needed > available:
        raise ExportError(
            f"{path} needs about {needed >> 20:,} MiB of memory to export, and {available >> 20:,} "
            "MiB are free; record or cut it into shorter files"
        )
