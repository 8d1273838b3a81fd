"""A recorded file as a device: any format, paced like the real thing or as fast as it can."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devices.clock import MONOTONIC, Clock
from devices.device import DeviceNotFound, DeviceRefused
from devices.recording.amplitude import doubt_amplitude
from devices.recording.formats import open_recording
from devices.recording.playback import Playback
from devices.recording.sidecars import read_sidecar
from devices.recording.track import RecordingFile, Track
from devices.signal import Marker

__all__ = ["Recording"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recording:
    """Plays a file back.

    Stamps: at a finite `speed` the first sample is stamped with the time of the first read, and
    the others as far after it as the file says, divided by `speed`; at ``inf`` they are the
    file's own. Markers and truth are stamped alike.

    Parameters
    ----------
    path
        The file. Its ending tells the format.
    stream
        Which of its streams, by name or by kind (``"eeg"``, ``"ecog"``); default: the one that a
        decoder most likely wants, refused where that would be a guess.
    truth
        Name or kind of the stream that says what was meant or done (kinematics, force).
    markers
        Name of the file's list of markers, or path of a sidecar (``*_events.tsv``, ``*-eve.fif``);
        default: the sidecar of the same name, else the file's own.
    unit
        Unit of the numbers in the file, where the file says a wrong one or none.
    speed
        How many times faster than real; ``inf``: as fast as it can.
    loop
        Begin again at the end, after a gap.
    start_s
        Where to begin, in seconds from the first sample.
    chunk_s
        Length of what `read` returns, in seconds; at least one sample.

    Raises
    ------
    ValueError
        On a speed or chunk that is not positive, or a start before the first sample.
    """

    path: str
    stream: str = ""
    truth: str = ""
    markers: str = ""
    unit: str = ""
    speed: float = 1.0
    loop: bool = False
    start_s: float = 0.0
    chunk_s: float = 0.02

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed must be positive (inf: as fast as it can), not {self.speed!r}")
        if not 0 < self.chunk_s < math.inf:
            raise ValueError(f"chunk_s must be positive and finite, not {self.chunk_s!r}")
        if not 0 <= self.start_s < math.inf:
            raise ValueError(f"start_s must be 0 or more, not {self.start_s!r}")

    def open(self, clock: Clock = MONOTONIC) -> Playback:
        """Open the file and find its streams; no sample is read yet.

        Raises
        ------
        DeviceNotFound
            There is no such file, stream or list of markers.
        DeviceRefused
            The file cannot be read, or it is not clear what is wanted of it.
        """
        file = open_recording(Path(self.path))
        try:
            return self._play(file, clock)
        except BaseException:
            file.close()
            raise

    def _play(self, file: RecordingFile, clock: Clock) -> Playback:
        track = _find(file, self.stream, "stream") if self.stream else _default(file)
        truth = _find(file, self.truth, "truth") if self.truth else None
        for wanted in (track, truth):
            if wanted is not None and wanted.n_samples == 0:
                raise DeviceRefused(f"{file.path}: the stream {wanted.name!r} holds no samples")
        if self.unit:
            track.restate(self.unit)
        first, last = track.times(0, 1), track.times(track.n_samples - 1, track.n_samples)
        duration_s = float(last[0] - first[0]) + 1 / track.signal.rate_hz
        if self.start_s >= duration_s:
            raise DeviceRefused(
                f"start_s = {self.start_s:g} lies behind the end of {file.path} ({duration_s:g} s)"
            )
        doubt = doubt_amplitude(track)
        wrong = file.notes + ((doubt,) if doubt else ())
        left_out = file.left_out(track, truth)
        for note in wrong:
            _log.warning("%s: %s", file.path.name, note)
        for note in left_out:
            _log.info("%s: %s", file.path.name, note)
        return Playback(
            file,
            track,
            truth,
            self._find_markers(file, track),
            notes=wrong + left_out,
            clock=clock,
            speed=self.speed,
            loop=self.loop,
            start_s=self.start_s,
            chunk_s=self.chunk_s,
        )

    def _find_markers(self, file: RecordingFile, track: Track) -> Sequence[Marker]:
        if not self.markers:
            return next(iter(file.markers.values()), ())
        if self.markers in file.markers:
            return file.markers[self.markers]
        sidecar = Path(self.markers)
        if not sidecar.is_absolute() and not sidecar.is_file():
            sidecar = file.path.parent / sidecar
        if not sidecar.is_file():
            raise DeviceNotFound(
                f"{file.path} has no markers called {self.markers!r}, nor is that a file; "
                f"it has {_listed(list(file.markers))}"
            )
        zero_s = float(track.times(0, 1)[0])
        rate_hz = track.signal.rate_hz
        return [
            Marker(zero_s + sample / rate_hz, label)
            for sample, label in read_sidecar(sidecar, rate_hz, file.first_sample)
        ]


def _default(file: RecordingFile) -> Track:
    if file.default is None:
        raise DeviceRefused(
            f"{file.path} holds several streams that could be meant: {_listed(_names(file))}; "
            "say which: stream = NAME"
        )
    return file.default


def _find(file: RecordingFile, wanted: str, key: str) -> Track:
    by_name = [track for track in file.tracks if track.name == wanted]
    found = by_name or [track for track in file.tracks if track.kind == wanted.lower()]
    if not found:
        raise DeviceNotFound(
            f"{file.path} has no stream {wanted!r} to read as {key}; it has {_listed(_names(file))}"
        )
    if len(found) > 1:
        raise DeviceRefused(
            f"{file.path} has {len(found)} streams {wanted!r}: "
            f"{_listed([track.name for track in found])}; say which: {key} = NAME"
        )
    return found[0]


def _names(file: RecordingFile) -> list[str]:
    return [track.name for track in file.tracks]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
