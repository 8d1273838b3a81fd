"""What is in a recording, without reading its samples; and which very file it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from devices.device import DeviceNotFound
from devices.recording.formats import open_recording
from devices.recording.track import Track

__all__ = ["RecordingInfo", "TrackInfo", "content_sha256", "describe", "describe_track"]

_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One stream of a recording.

    Parameters
    ----------
    name, kind
        What it is called by, and what it holds.
    rate_hz, channels, unit
        As in `devices.signal.Signal`.
    n_samples, duration_s
        How long it is; holes count in the duration.
    n_gaps
        Places where samples are missing.
    """

    name: str
    kind: str
    rate_hz: float
    channels: tuple[str, ...]
    unit: str
    n_samples: int
    duration_s: float
    n_gaps: int


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A recording.

    Parameters
    ----------
    path
        Where it is.
    tracks
        Its streams of samples.
    default
        Name of the stream that is read when nobody names one; empty where that would be a guess.
    markers
        Number of markers by the name of their source; the first is used when nobody names one.
    notes
        What the user should know about it.
    sha256
        Of what is in it, see `content_sha256`.
    """

    path: Path
    tracks: tuple[TrackInfo, ...]
    default: str
    markers: dict[str, int]
    notes: tuple[str, ...]
    sha256: str


def describe(path: Path | str) -> RecordingInfo:
    """Open a recording and say what is in it.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        See `devices.recording.formats.open_recording`.
    """
    file = open_recording(path)
    try:
        return RecordingInfo(
            path=file.path,
            tracks=tuple(map(describe_track, file.tracks)),
            default=file.default.name if file.default else "",
            markers={name: len(markers) for name, markers in file.markers.items()},
            notes=file.notes,
            sha256=content_sha256(path),
        )
    finally:
        file.close()


def describe_track(track: Track) -> TrackInfo:
    """Say what one stream is."""
    signal, n = track.signal, int(track.n_samples)
    span_s = float(track.times(n - 1, n)[0] - track.times(0, 1)[0]) if n else 0.0
    return TrackInfo(
        name=track.name,
        kind=track.kind,
        rate_hz=signal.rate_hz,
        channels=signal.channels,
        unit=signal.unit,
        n_samples=n,
        duration_s=span_s + 1 / signal.rate_hz if n else 0.0,
        n_gaps=len(track.breaks),
    )


def content_sha256(path: Path | str) -> str:
    """Return the SHA-256 of a recording's bytes, in hexadecimal digits.

    Of a file, that of its content. Of a folder or of a header with its samples in files beside it
    (BrainVision, EEGLAB), that of the lines "digest, two spaces, name" of each, by name, as
    ``sha256sum`` prints them: moving or renaming the folder changes nothing.

    Raises
    ------
    DeviceNotFound
        There is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise DeviceNotFound(f"there is no file {path}")
    parts = _parts(path)
    if parts == [path]:
        return _file_sha256(path)
    lines = [f"{_file_sha256(part)}  {part.relative_to(path.parent)}\n" for part in parts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _parts(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(part for part in path.rglob("*") if part.is_file())
    beside = {".vhdr": (".eeg", ".vmrk", ".dat"), ".set": (".fdt",)}.get(path.suffix.lower(), ())
    parts = [path, *(path.with_suffix(suffix) for suffix in beside)]
    return sorted(part for part in parts if part.is_file())


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
