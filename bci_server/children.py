"""The supervisor's children: how an engine and the web process are started, ended, buried."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bci_server.control import Goodbye, SessionRecord, SupervisorMessage
from bci_server.link.frames import Frames, frame

__all__ = ["EngineChild", "Served", "WebChild", "how_it_ended"]

_MAX_WAITING_BYTES = 2**20
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A session that is served.

    Parameters
    ----------
    name, file
        The session and its file.
    device
        Takes the place of the file's ``[device]`` section.
    model
        Takes the place of the file's model.
    record
        Takes the place of what the file's ``[record]`` section says; it is recorded from the
        start, also when there is no model yet.
    start_s
        Where its replay begins, instead of where the file says.
    """

    name: str
    file: Path
    device: Mapping[str, Any] | None = None
    model: Path | None = None
    record: Mapping[str, Any] | None = None
    start_s: float | None = None


class EngineChild:
    """One session's engine: at most one process at a time, on a socket that stays.

    Parameters
    ----------
    served
        What it runs.
    folder
        The private directory for its socket.

    Attributes
    ----------
    process
        The running process, None between runs.
    kill_at_s
        When it has had enough time to end; None while nobody asked it to.
    """

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.process: subprocess.Popen[bytes] | None = None
        self.kill_at_s: float | None = None
        self._path = str(folder / f"{served.name}.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self._path)
        self._listener.listen()
        self._life: int | None = None
        self._report: int | None = None
        self._run = 0
        self._ended: tuple[bool, str] | None = None

    def start(self) -> None:
        """Start a process; there is none."""
        life, self._life = os.pipe()
        self._report, report = os.pipe()
        listen = self._listener.fileno()
        options = {
            "file": str(self.served.file),
            "device": self.served.device,
            "model": None if self.served.model is None else str(self.served.model),
            "record": self.served.record,
            "start_s": self.served.start_s,
            "listen_fd": listen,
            "life_fd": life,
            "report_fd": report,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci_server.engine", msgspec.json.encode(options).decode()],
            stdin=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
            pass_fds=(listen, life, report),
            process_group=0,  # an interrupt from the terminal is the supervisor's to answer
        )
        os.close(life)
        os.close(report)
        self._run += 1
        self._ended = None
        self.kill_at_s = None

    def ask_to_end(self, kill_at_s: float) -> None:
        """Ask the process to end in good order; it is to be killed at `kill_at_s` else."""
        if self._life is not None:
            os.close(self._life)
            self._life = None
            self.kill_at_s = kill_at_s

    def kill(self) -> None:
        """End the process whatever it does."""
        if self.process is not None:
            self.process.kill()
        self.kill_at_s = None

    def bury(self) -> bool:
        """Take note if the process has ended; True if it just has."""
        if self.process is None or self.process.poll() is None:
            return False
        assert self._report is not None
        by_itself = self._life is not None
        goodbye = _last_word(self._report)
        os.close(self._report)
        if self._life is not None:
            os.close(self._life)
        how = goodbye.reason if goodbye else how_it_ended(self.process.returncode)
        self._ended = (by_itself, how)
        self.process = self._life = self._report = self.kill_at_s = None
        return True

    def record(self) -> SessionRecord:
        """Return what the web process is told."""
        ended_by_itself, reason = self._ended or (False, "")
        return SessionRecord(
            name=self.served.name,
            file=str(self.served.file),
            socket=self._path,
            process="running" if self.process else "exited" if ended_by_itself else "stopped",
            run=self._run,
            pid=None if self.process is None else self.process.pid,
            reason=reason,
        )

    def forget(self) -> None:
        """Let the session, which has ended, be one that nobody has started."""
        self._ended = None

    def close(self) -> None:
        """Give the socket up; the process has ended."""
        self._listener.close()
        os.unlink(self._path)


class WebChild:
    """The web process, and the supervisor's end of the line to it.

    Parameters
    ----------
    command
        Starts it; ``--listen-fd`` and ``--supervisor-fd`` are appended.
    listener
        The listening TCP socket.
    now_s
        When it is started.

    Attributes
    ----------
    kill_at_s
        When it has had enough time to end; None while its line stands.
    """

    def __init__(self, command: Sequence[str], listener: socket.socket, now_s: float) -> None:
        self.started_s = now_s
        self.kill_at_s: float | None = None
        self.line, theirs = socket.socketpair()
        self.line.setblocking(False)
        self.frames = Frames()
        self._waiting: deque[bytes] = deque()
        self._encode = msgspec.msgpack.Encoder().encode
        fds = (listener.fileno(), theirs.fileno())
        with theirs:
            self.process = subprocess.Popen(
                [*command, "--listen-fd", str(fds[0]), "--supervisor-fd", str(fds[1])],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                process_group=0,
            )

    def send(self, message: SupervisorMessage) -> None:
        """Send without waiting; one that has stopped to read is killed, to be started again."""
        self._waiting.append(frame(self._encode(message)))
        self.flush()
        if sum(map(len, self._waiting)) > _MAX_WAITING_BYTES:
            self.process.kill()

    def flush(self) -> bool:
        """Send what waits; True when nothing does any more."""
        while self._waiting:
            data = self._waiting.popleft()
            try:
                n = self.line.send(data)
            except BlockingIOError:
                n = 0
            except OSError:  # it is gone, and will be buried
                self._waiting.clear()
                return True
            if n < len(data):
                self._waiting.appendleft(data[n:])
                return False
        return True

    def ended(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll()

    def close(self) -> None:
        """Close the line: the process ends, if it has not."""
        self.line.close()


def how_it_ended(code: int) -> str:
    """Say in words what an exit code means."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_word(fd: int) -> Goodbye | None:
    """Return what an ended engine left in its pipe."""
    data = os.read(fd, 65536)
    for payload in Frames().feed(data):
        return msgspec.msgpack.decode(payload, type=Goodbye)
    return None
