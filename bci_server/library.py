"""The session library: which recordings there are, what they are, and how they are tagged.

The files are the truth. The index beside them is a cache that can be thrown away at any time: what
it says is read from the recordings, and tags stand in a small file beside each (``X.xdf.tags``).
A scan reads only what has changed.

Errors::

    LibraryError           all of them; the message is for the user
    ├── UnknownRecording   there is none of that id
    └── BadTag             a tag has other characters than it may have
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bci_server.library_entry import Entry, Found, describe_entry, find_recordings, read_tags
from devices.recording.describe import content_sha256
from devices.recording.verify import verify

__all__ = ["BadTag", "Library", "LibraryError", "Query", "Scan", "UnknownRecording"]

INDEX_NAME = ".bci-library.sqlite"
_VERSION = 1
_TAG = re.compile(r"[\w][\w.+-]{0,63}")
_MOST_TAGS = 100
_WAIT_S = 10.0

_TABLES = """
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    tags_mtime_ns INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    participant TEXT NOT NULL,
    task TEXT NOT NULL,
    device TEXT NOT NULL,
    searched TEXT NOT NULL,
    is_readable INTEGER NOT NULL,
    entry TEXT NOT NULL
) STRICT;
CREATE TABLE tags (
    id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (id, tag)
) STRICT;
"""


class LibraryError(Exception):
    """Something is wrong with the library; the message is for its user."""


class UnknownRecording(LibraryError):
    """There is no recording of that id."""


class BadTag(LibraryError):
    """A tag has other characters than it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which recordings are wanted; what is empty does not matter.

    Parameters
    ----------
    participant, task, device, tag
        As they stand in the recording.
    search
        Words that all have to occur, anywhere in what is known of it.
    readable
        Only those that can be read, or only those that cannot.
    limit, offset
        How many at most, and from which on.
    """

    participant: str = ""
    task: str = ""
    device: str = ""
    tag: str = ""
    search: str = ""
    readable: bool | None = None
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan has done: how many recordings there are, were read, came new, and are gone."""

    n_recordings: int
    n_read: int
    n_new: int
    n_gone: int


class Library:
    """The recordings in one folder and the folders within.

    Parameters
    ----------
    folder
        Where the recordings are. Nothing outside of it is looked at.
    index
        Where the index is kept; default: in the folder.

    Raises
    ------
    LibraryError
        There is no such folder.
    """

    def __init__(self, folder: Path, index: Path | None = None) -> None:
        if not folder.is_dir():
            raise LibraryError(
                f"there is no folder {folder} with recordings; name one (--folder, or the setting "
                "BCI_RECORDINGS)"
            )
        self.folder = folder.resolve()
        self.index = index or self.folder / INDEX_NAME

    def scan(self) -> Scan:
        """Bring the index up to date with the files; reads only what has changed."""
        found = list(find_recordings(self.folder))
        with self._open() as db:
            known = {
                row["id"]: row
                for row in db.execute("SELECT id, size, mtime_ns, tags_mtime_ns FROM recordings")
            }
            n_read = 0
            for one in found:
                n_read += self._update(db, one, known.get(one.id))
                db.commit()  # reading takes long, and nobody should have to wait for it
            gone = known.keys() - {one.id for one in found}
            db.executemany("DELETE FROM recordings WHERE id = ?", [(id_,) for id_ in gone])
        n_new = len({one.id for one in found} - known.keys())
        return Scan(len(found), n_read, n_new, len(gone))

    def rebuild(self) -> Scan:
        """Throw the index away, and read every recording anew."""
        for suffix in ("", "-wal", "-shm"):
            self.index.with_name(self.index.name + suffix).unlink(missing_ok=True)
        return self.scan()

    def find(self, query: Query | None = None) -> list[Entry]:
        """Return what is wanted as of the last scan, the newest first."""
        query = query or Query()
        wheres, values = _conditions(query)
        with self._open() as db:
            rows = db.execute(
                f"SELECT entry FROM recordings {wheres} "
                "ORDER BY started_at DESC, place LIMIT ? OFFSET ?",
                (*values, query.limit, query.offset),
            )
            return [_decode(row["entry"]) for row in rows]

    def get(self, id_: str) -> Entry:
        """Return one recording.

        Raises
        ------
        UnknownRecording
            There is none of that id.
        """
        with self._open() as db:
            return self._entry(db, id_)

    def path(self, id_: str) -> Path:
        """Return where a recording is.

        Raises
        ------
        UnknownRecording
            There is none of that id, or it is gone.
        """
        path = self.folder / self.get(id_).place
        if not path.resolve().is_relative_to(self.folder) or not path.exists():
            raise UnknownRecording(f"the recording {id_} is gone from {self.folder}; scan again")
        return path

    def tag(self, id_: str, tags: Iterable[str]) -> Entry:
        """Add tags to a recording.

        Raises
        ------
        UnknownRecording, BadTag
        """
        return self._retag(id_, add=tuple(tags))

    def untag(self, id_: str, tags: Iterable[str]) -> Entry:
        """Take tags away from a recording; those that it does not have do not matter.

        Raises
        ------
        UnknownRecording, BadTag
        """
        return self._retag(id_, remove=tuple(tags))

    def verify(self, id_: str) -> Entry:
        """Check every chunk of a recording, and keep the verdict until the file changes.

        Raises
        ------
        UnknownRecording
        DeviceRefused
            It is no XDF file, for which alone there are checksums.
        """
        path = self.path(id_)
        verdict = verify(path).verdict
        with self._open() as db:
            entry = msgspec.structs.replace(self._entry(db, id_), verified=verdict)
            db.execute("UPDATE recordings SET entry = ? WHERE id = ?", (_encode(entry), id_))
        return entry

    def _retag(self, id_: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Entry:
        for tag in (*add, *remove):
            if not _TAG.fullmatch(tag):
                raise BadTag(
                    f"a tag is one word of letters, digits and . _ + -, of at most 64, not {tag!r}"
                )
        path = self.path(id_)
        with self._open() as db:
            tags = sorted({*read_tags(path), *add} - set(remove))
            if len(tags) > _MOST_TAGS:
                raise BadTag(f"{len(tags)} tags are too many for one recording, at most 100")
            _write_tags(path, tags)
            entry = msgspec.structs.replace(self._entry(db, id_), tags=tuple(tags))
            found = Found.at(self.folder, path)
            _store(db, entry, found)
        return entry

    def _update(self, db: sqlite3.Connection, found: Found, known: sqlite3.Row | None) -> int:
        """Bring one recording's row up to date; return 1 if the file was read."""
        if known is not None and (known["size"], known["mtime_ns"]) == (found.size, found.mtime_ns):
            if known["tags_mtime_ns"] != found.tags_mtime_ns:
                entry = self._entry(db, found.id)
                tags = read_tags(found.path)
                _store(db, msgspec.structs.replace(entry, tags=tags), found)
            return 0
        if known is not None:
            entry = self._entry(db, found.id)
            if entry.sha256 and _sha256(found) == entry.sha256:  # touched, not changed
                _store(db, msgspec.structs.replace(entry, tags=read_tags(found.path)), found)
                return 0
        _store(db, describe_entry(found), found)
        return 1

    def _entry(self, db: sqlite3.Connection, id_: str) -> Entry:
        row = db.execute("SELECT entry FROM recordings WHERE id = ?", (id_,)).fetchone()
        if row is None:
            raise UnknownRecording(
                f"there is no recording {id_!r} in {self.folder}; `bci sessions list` shows all"
            )
        return _decode(row["entry"])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the index, made anew if it is none of this version; commit if all went well."""
        try:
            with closing(self._connect()) as db, db:
                yield db
        except sqlite3.Error as e:
            raise LibraryError(
                f"the index {self.index} cannot be used: {e}; it can be deleted without loss, or "
                "kept elsewhere with --index"
            ) from e

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.index, timeout=_WAIT_S)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA foreign_keys = ON")
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                # IMMEDIATE: of two who find no tables, only one makes them.
                db.execute("BEGIN IMMEDIATE")
                if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                    for table in ("tags", "recordings"):
                        db.execute(f"DROP TABLE IF EXISTS {table}")
                    for statement in filter(str.strip, _TABLES.split(";")):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {_VERSION}")
                db.commit()
        except BaseException:
            db.close()
            raise
        return db


def _conditions(query: Query) -> tuple[str, list[str | int]]:
    wheres: list[str] = []
    values: list[str | int] = []
    for column in ("participant", "task", "device"):
        if wanted := getattr(query, column):
            wheres.append(f"{column} = ? COLLATE NOCASE")
            values.append(wanted)
    if query.tag:
        wheres.append("id IN (SELECT id FROM tags WHERE tag = ?)")
        values.append(query.tag)
    if query.readable is not None:
        wheres.append("is_readable = ?")
        values.append(int(query.readable))
    for word in query.search.lower().split():
        wheres.append("instr(searched, ?)")
        values.append(word)
    return ("WHERE " + " AND ".join(wheres) if wheres else "", values)


def _store(db: sqlite3.Connection, entry: Entry, found: Found) -> None:
    db.execute("DELETE FROM recordings WHERE id = ?", (entry.id,))
    db.execute(
        "INSERT INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.id,
            entry.place,
            found.size,
            found.mtime_ns,
            found.tags_mtime_ns,
            entry.started_at,
            entry.participant,
            entry.task,
            entry.device,
            entry.searched(),
            entry.problem == "",
            _encode(entry),
        ),
    )
    db.executemany("INSERT INTO tags VALUES (?, ?)", [(entry.id, tag) for tag in entry.tags])


def _encode(entry: Entry) -> str:
    return msgspec.json.encode(entry).decode()


def _decode(text: str) -> Entry:
    return msgspec.json.decode(text, type=Entry)


def _sha256(found: Found) -> str:
    try:
        return content_sha256(found.path)
    except OSError:  # gone or not ours to read; describing it says so
        return ""


def _write_tags(recording: Path, tags: Sequence[str]) -> None:
    """Write the file of tags in one step; without tags there is none."""
    path = recording.with_name(recording.name + ".tags")
    if not tags:
        path.unlink(missing_ok=True)
        return
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        new.write_text("".join(f"{tag}\n" for tag in tags), encoding="utf-8")
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
