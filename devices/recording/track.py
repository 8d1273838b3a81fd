"""What every recording format is read as: tracks of samples, and lists of markers.

A format's module has one function ``open_file(path) -> RecordingFile``; `devices.recording.formats`
picks it by the file's ending. Samples stay in the file until `Track.read` asks for them.

Times are the file's own, in seconds; tracks and markers of one file share one time line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.signal import Marker, Signal
from devices.units import canonical, standard

__all__ = ["RecordingFile", "RegularTrack", "Track"]


class Track(ABC):
    """One series of samples in a file, read piece by piece.

    Attributes
    ----------
    name
        What the user calls it by.
    kind
        What it holds, in lower case: ``"eeg"``, ``"ecog"``, ``"spikes"``, ``"kinematics"`` …
    signal
        What `read` returns.
    stated_unit
        The unit that the file states, ``""`` for none; `signal.unit` is what `read` converts to.
    scale
        What the numbers of the format's reader are multiplied with, in float64, for that: one
        factor, or (n_channels,).
    n_samples
        Number of samples.
    breaks
        (n_breaks,) int64, ascending: samples before which others are missing.
    """

    name: str
    kind: str
    signal: Signal
    stated_unit: str
    scale: float | NDArray[np.float64]
    n_samples: int
    breaks: NDArray[np.int64]

    @abstractmethod
    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples `first` up to but without `stop`, in seconds."""

    @abstractmethod
    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return samples `first` up to but without `stop`, (stop - first, n_channels).

        Raises
        ------
        DeviceRefused
            The file does not hold there what it promised.
        """

    def stored(self, first: int, stop: int) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Return samples as exactly as the format's reader gives them, and their factors.

        The samples are (stop - first, n_channels); times the factors, (n_channels,), they are in
        `signal.unit`.

        Raises
        ------
        DeviceRefused
            As `read`.
        """
        return self.read(first, stop), np.ones(self.signal.n_channels)

    def stamps(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples as they were stamped: on the same clock, not smoothed."""
        return self.times(first, stop)

    def restate(self, unit: str) -> None:
        """Take the numbers in the file to be in `unit`, whatever it states."""
        true_unit, to_true = standard(unit)
        _, to_stated = standard(self.stated_unit)
        self.scale = self.scale * (to_true / to_stated)
        self.stated_unit = canonical(unit)
        self.signal = replace(self.signal, unit=true_unit)

    def index_at(self, time_s: float) -> int:
        """Return the first sample at or after `time_s`; `n_samples` if there is none."""
        low, high = 0, self.n_samples
        while low < high:
            middle = (low + high) // 2
            if float(self.times(middle, middle + 1)[0]) < time_s:
                low = middle + 1
            else:
                high = middle
        return low


class RegularTrack(Track):
    """A track whose stamps follow from its rate: blocks of samples, each with its own start.

    Parameters
    ----------
    name, kind, signal, stated_unit, scale, n_samples
        See `Track`.
    block_starts
        (n_blocks,) int64, first sample of each gap-free block; starts with 0.
    block_times
        (n_blocks,) float64, time of that sample in seconds.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        signal: Signal,
        stated_unit: str,
        scale: float,
        n_samples: int,
        block_starts: NDArray[np.int64] | None = None,
        block_times: NDArray[np.float64] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.signal = signal
        self.stated_unit = stated_unit
        self.scale = scale
        self.n_samples = n_samples
        self._starts = np.zeros(1, np.int64) if block_starts is None else block_starts
        self._times = np.zeros(1) if block_times is None else block_times
        self.breaks = self._starts[1:]

    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples `first` up to but without `stop`, in seconds."""
        index = np.arange(first, stop)
        if len(self._starts) == 1:  # the usual case; k / rate is exact where the rate allows
            return self._times[0] + index / self.signal.rate_hz
        block = np.maximum(np.searchsorted(self._starts, index, side="right") - 1, 0)
        times: NDArray[np.float64] = (
            self._times[block] + (index - self._starts[block]) / self.signal.rate_hz
        )
        return times

    def time_of(self, sample: int) -> float:
        """Return the time of one sample, in seconds; also of one before or after the file's."""
        return float(self.times(sample, sample + 1)[0])

    def snap(self, time_s: float) -> float:
        """Return the time of the sample nearest to `time_s`, or `time_s` itself in a hole."""
        block = max(int(np.searchsorted(self._times, time_s, side="right")) - 1, 0)
        step = round((time_s - self._times[block]) * self.signal.rate_hz)
        sample = int(self._starts[block]) + step
        last = self._starts[block + 1] if block + 1 < len(self._starts) else self.n_samples
        return self.time_of(sample) if self._starts[block] <= sample < last else time_s


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """An open recording.

    Parameters
    ----------
    path
        Where it is.
    tracks
        What can be read.
    default
        The track that is read when nobody names one; None where that would be a guess.
    markers
        Lists of markers by the name of their source, ascending in time; the first is used when
        nobody asks for another.
    first_sample
        Number of the first sample, from which a sidecar of MNE counts.
    notes
        What the user should know: what looks wrong, and what was mended.
    close
        Lets go of the file; harmless when repeated.
    """

    path: Path
    tracks: tuple[Track, ...]
    default: Track | None
    markers: Mapping[str, tuple[Marker, ...]] = field(default_factory=dict)
    first_sample: int = 0
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None

    def left_out(self, *chosen: Track | None) -> tuple[str, ...]:
        """Say what is in the file beside the `chosen` tracks, and how to get it."""
        return tuple(
            f"left out {track.signal.n_channels} channels ({_few(track.signal.channels)}); "
            f"stream = {track.name!r} reads them"
            for track in self.tracks
            if track.n_samples and not any(track is one for one in chosen)
        )


def _few(names: Sequence[str]) -> str:
    if len(names) <= 6:
        return ", ".join(names)
    return f"{', '.join(names[:5])} and {len(names) - 5} more"
