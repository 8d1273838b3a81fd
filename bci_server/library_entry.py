"""What the library knows of one recording, and how it finds that out.

A file that cannot be read is an entry too: it says what is wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

import msgspec

from devices.device import DeviceError, DeviceRefused
from devices.recording.about import About, read_about
from devices.recording.describe import TrackInfo, content_sha256, describe_track
from devices.recording.formats import ENDINGS, ending_of, open_recording

__all__ = ["Entry", "Found", "describe_entry", "find_recordings", "read_tags"]

#: What lies beside recordings, or is a part of one; not looked at.
_BESIDE = (
    *(".crc", ".tags", ".json", ".tsv", ".tsv.gz", ".md", ".toml", ".png", ".pdf", ".html"),
    *(".vmrk", ".fdt", ".yaml", ".yml", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".log"),
)
_BESIDE_NAMES = ("README", "CHANGES", "LICENSE")
_LONGEST_TAGS = 1 << 16


class StreamEntry(msgspec.Struct, frozen=True):
    """One stream of samples in a recording."""

    name: str
    kind: str
    rate_hz: float
    channels: tuple[str, ...]
    unit: str
    n_samples: int
    duration_s: float
    n_gaps: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One recording; what is not known is empty.

    Parameters
    ----------
    id
        Names it; the same as long as the file stays where it is.
    place
        Its path within the library's folder.
    sha256
        Of its content, see `devices.recording.describe.content_sha256`.
    problem
        Why it cannot be read.
    participant, session, task, run, consent
        Codes and labels, as in BIDS.
    device, manufacturer, reference
        The amplifier, and what potentials were measured against.
    decoder, model
        Kind of the decoder, and the hash of its model.
    started_at
        When it began, in ISO 8601.
    streams
        Its streams; the first is the one that a decoder reads.
    n_markers
        How many markers are read with it.
    notes
        What looks wrong in the file.
    verified
        What `bci verify` said of this very content; empty if nobody has asked.
    tags
        Words that somebody gave it.
    """

    id: str
    place: str
    n_bytes: int
    sha256: str = ""
    problem: str = ""
    participant: str = ""
    session: str = ""
    task: str = ""
    run: str = ""
    consent: str = ""
    device: str = ""
    manufacturer: str = ""
    reference: str = ""
    decoder: str = ""
    model: str = ""
    started_at: str = ""
    streams: tuple[StreamEntry, ...] = ()
    n_markers: int = 0
    notes: tuple[str, ...] = ()
    verified: str = ""
    tags: tuple[str, ...] = ()

    def searched(self) -> str:
        """Return the text in which a search looks for words."""
        words = (self.place, self.participant, self.session, self.task, self.consent, self.device)
        more = (self.manufacturer, self.decoder, self.model, self.started_at, *self.tags)
        streams = (word for s in self.streams for word in (s.name, s.kind, *s.channels))
        return " ".join((self.id, *words, *more, *streams)).lower()


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be a recording.

    Parameters
    ----------
    id
        Names it.
    path, place
        Where it is, and where that is within the library's folder.
    size, mtime_ns, tags_mtime_ns
        What tells that it, or its tags, have changed.
    problem
        Why it must not be opened.
    """

    id: str
    path: Path
    place: str
    size: int
    mtime_ns: int
    tags_mtime_ns: int
    problem: str = ""

    @classmethod
    def at(cls, folder: Path, path: Path) -> Found:
        """Look at the file at `path`, within `folder`."""
        place = path.relative_to(folder).as_posix()
        size, mtime_ns, problem = 0, 0, ""
        try:
            if Path(os.path.realpath(path, strict=True)).is_relative_to(folder):
                size, mtime_ns = _size_and_time(path)
            else:
                problem = "it is a link that leads out of the folder, which is not followed"
        except OSError as e:
            problem = f"it cannot be looked at: {e.strerror}"
        return cls(
            hashlib.sha256(os.fsencode(place)).hexdigest()[:16],
            path,
            place.encode("utf-8", "replace").decode(),
            size,
            mtime_ns,
            _tags_mtime_ns(path),
            problem,
        )


def find_recordings(folder: Path) -> Iterator[Found]:
    """Yield all that may be a recording, in and below `folder`, in order of their names."""
    failed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=failed.append):  # follows no links
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        whole = [name for name in folders if _is_recording_folder(here / name)]
        folders[:] = [name for name in folders if name not in whole]
        for name in sorted([*whole, *names]):
            if not _lies_beside(here / name):
                yield Found.at(folder, here / name)
    for error in failed:
        found = Found.at(folder, Path(error.filename))
        yield replace(found, problem=f"this folder cannot be looked into: {error.strerror}")


def describe_entry(found: Found) -> Entry:
    """Read what is known of a recording; what cannot be read says why."""
    entry = Entry(
        id=found.id,
        place=found.place,
        n_bytes=found.size,
        problem=found.problem,
        tags=read_tags(found.path),
    )
    if found.problem:
        return entry
    try:
        if not (found.path.is_file() or found.path.is_dir()):
            raise DeviceRefused("it is neither a file nor a folder")
        entry = msgspec.structs.replace(entry, sha256=content_sha256(found.path))
        return _read(found.path, entry)
    except (DeviceError, OSError) as e:
        # Nobody on the wire learns where the folder is.
        problem = str(e).replace(str(found.path), found.path.name)
        return msgspec.structs.replace(entry, problem=problem)


def read_tags(recording: Path) -> tuple[str, ...]:
    """Return the tags that stand beside a recording."""
    path = recording.with_name(recording.name + ".tags")
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_TAGS).decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    return tuple(sorted({line.strip() for line in text.splitlines() if line.strip()}))


def _read(path: Path, entry: Entry) -> Entry:
    file = open_recording(path)
    try:
        about = read_about(path)
        tracks = sorted(file.tracks, key=lambda track: track is not file.default)
        streams = tuple(_stream(describe_track(track)) for track in tracks)
        markers = next(iter(file.markers.values()), ())
        return msgspec.structs.replace(
            _with(entry, about), streams=streams, n_markers=len(markers), notes=file.notes
        )
    finally:
        file.close()


def _with(entry: Entry, about: About) -> Entry:
    known = ("participant", "session", "task", "run", "consent", "device", "manufacturer")
    more = ("reference", "decoder", "model")
    return msgspec.structs.replace(
        entry,
        **{name: getattr(about, name) for name in known + more},
        started_at=about.started_at.astimezone(UTC).isoformat() if about.started_at else "",
    )


def _stream(track: TrackInfo) -> StreamEntry:
    return StreamEntry(**{name: getattr(track, name) for name in StreamEntry.__struct_fields__})


def _is_recording_folder(path: Path) -> bool:
    if ending_of(path) in ENDINGS:
        return True
    try:
        return any(entry.suffix.lower() == ".ncs" for entry in path.iterdir())
    except PermissionError:  # the walk says so
        return False


def _lies_beside(path: Path) -> bool:
    name, ending = path.name, ending_of(path)
    if name.startswith(".") or ending in _BESIDE or name in _BESIDE_NAMES:
        return True
    if name.lower().endswith(("-eve.fif", "_eve.fif", "-eve.fif.gz")):
        return True
    return ending == ".eeg" and path.with_suffix(".vhdr").is_file()


def _size_and_time(path: Path) -> tuple[int, int]:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    stats = [part.stat() for part in parts]
    size = sum(stat.st_size for part, stat in zip(parts, stats, strict=True) if part.is_file())
    return size, max(stat.st_mtime_ns for stat in stats)


def _tags_mtime_ns(path: Path) -> int:
    try:
        return path.with_name(path.name + ".tags").stat().st_mtime_ns
    except OSError:
        return 0
