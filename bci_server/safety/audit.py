"""The audit log: transitions and stimuli of one run of a session, each bound to all before it.

One file a run, one JSON document a line. Each line has a number ``n``, the hash of the line before
(``prev``), and its own ``hash``: SHA-256 of the rest of the line as it stands. Who changes, removes
or inserts a line must change every later one; `bci audit` checks the chain, and tells the last
hash, which noted elsewhere proves that nothing was taken from the end either.

A thread of its own writes the lines: the loop hands a transition over and goes on. Each batch is
written with one ``write`` and made safe with ``fsync`` before the next. Where that fails, `failure`
says why, and the guard lets nothing move any more.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bci_server.safety.guard import Stimulated, Transition
from devices.clock import Clock

__all__ = ["FIRST", "AuditLog", "Unaudited", "chained", "open_audit"]

FIRST = "0" * 64
"""What the first line has for the hash of the line before."""

_MOST_WAITING = 4096
_CLOSE_S = 2.0


def chained(n: int, prev: str, content: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the hash of a line of the log, and the line."""
    body = msgspec.json.encode({"n": n, "prev": prev, **content})
    hash_ = hashlib.sha256(body).hexdigest()
    return hash_, body[:-1] + b',"hash":"' + hash_.encode() + b'"}\n'


class AuditLog:
    """Keeps the transitions of one run. Close it.

    Parameters
    ----------
    path
        A file that is not there yet.
    about
        What the first line says: of which session, which decoder, which machine.
    clock
        Its time stands in the first line beside the wall clock's, and in the last.

    Raises
    ------
    OSError
        It cannot be written.

    Attributes
    ----------
    path
        The file.
    failure
        Why nothing is kept any longer; empty while everything is.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], clock: Clock) -> None:
        self.path = path
        self.failure = ""
        self._clock = clock
        self._n, self._prev = 0, FIRST
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._fd = os.open(path, flags, 0o640)
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._is_closing = False
        self._wake = threading.Condition()
        began = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self._write([{"event": "begin", "time_s": clock.now(), "utc": began, **about}])
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, what: Transition | Stimulated) -> None:
        """Take one; return at once."""
        event = "stimulus" if isinstance(what, Stimulated) else "transition"
        self._put({"event": event, **msgspec.to_builtins(what)})

    def close(self, reason: str = "") -> None:
        """Write what waits, and that the run ended in good order."""
        self._put({"event": "end", "time_s": self._clock.now(), "reason": reason})
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            os.close(self._fd)

    def _put(self, content: Mapping[str, Any]) -> None:
        with self._wake:
            if len(self._waiting) >= _MOST_WAITING:
                self.failure = self.failure or "the disk is too slow"
                return
            self._waiting.append(content)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._is_closing:
                    self._wake.wait()
                batch = list(self._waiting)
                self._waiting.clear()
            if not batch:
                return
            if self.failure:
                continue
            try:
                self._write(batch)
            except OSError as e:
                self.failure = f"{self.path}: {e.strerror}"

    def _write(self, batch: Iterable[Mapping[str, Any]]) -> None:
        lines = []
        for content in batch:
            self._prev, line = chained(self._n, self._prev, content)
            self._n += 1
            lines.append(line)
        data = b"".join(lines)
        while data:
            data = data[os.write(self._fd, data) :]
        os.fsync(self._fd)


def open_audit(folder: Path, session: str, about: Mapping[str, Any], clock: Clock) -> AuditLog:
    """Begin the log of a run in `folder`, under a name that no other has.

    Raises
    ------
    OSError
        It cannot be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for n in itertools.count():
        name = f"{session}_{day}{f'-{n}' if n else ''}.audit.jsonl"
        try:
            return AuditLog(folder / name, {"session": session, **about}, clock)
        except FileExistsError:
            continue
    raise AssertionError("there is a name for every number")


@dataclass(frozen=True, slots=True)
class Unaudited:
    """Stands where no log could be begun: nothing is kept, so nothing may move.

    Parameters
    ----------
    failure
        Why not.
    """

    failure: str

    def note(self, what: Transition | Stimulated) -> None:
        """Keep nothing."""
