"""The process that starts the others, and sees that none is left behind.

It decodes nothing and serves nobody, so there is little in it that can fail. It holds the listening
sockets, so a web process or an engine that dies takes no connection with it that waits. It waits
in one place, for its children, its line to the web process, or a signal; nothing is polled.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bci_server.children import EngineChild, Served, WebChild, how_it_ended
from bci_server.control import (
    Answer,
    LoadModel,
    Request,
    RestartSession,
    SeekReplay,
    Sessions,
    StartSession,
    StopSession,
)
from bci_server.link.frames import FrameTooLong
from devices.clock import MONOTONIC, Clock

__all__ = ["WEB_COMMAND", "PortTaken", "Supervisor", "listen_on"]

WEB_COMMAND = (sys.executable, "-m", "bci_server.web")

_GRACE_S = 1.5
_STABLE_S = 5.0
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 5.0

_log = logging.getLogger(__name__)


class PortTaken(Exception):
    """The server cannot listen there; the message says why, and what to do."""


def listen_on(host: str, port: int) -> socket.socket:
    """Return a TCP socket that listens at `host` and `port` (0: any free one).

    Raises
    ------
    PortTaken
        Somebody else does already, or the address is not ours.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as e:
        raise PortTaken(f"cannot listen on {host}: {e.strerror or e}") from e
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as e:
        listener.close()
        raise PortTaken(_cannot_bind(host, port, e)) from e
    return listener


class Supervisor:
    """Serves sessions until it is told to stop. Runs in a process's main thread.

    Parameters
    ----------
    sessions
        What is served; names must differ.
    listener
        Where clients connect; closed at the end.
    web_command
        Starts the web process.
    autostart
        Start every session's engine at once.
    clock
        Times restarts and deadlines.

    Raises
    ------
    ValueError
        Two sessions have one name.
    """

    def __init__(
        self,
        sessions: Sequence[Served],
        listener: socket.socket,
        web_command: Sequence[str] = WEB_COMMAND,
        autostart: bool = True,
        clock: Clock = MONOTONIC,
    ) -> None:
        names = [s.name for s in sessions]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two sessions are named {', '.join(twice)}; rename one")
        self._sessions = tuple(sessions)
        self._listener = listener
        self._command = tuple(web_command)
        self._autostart = autostart
        self._clock = clock
        self._engines: dict[str, EngineChild] = {}
        self._web: WebChild | None = None
        self._web_due_s: float | None = None
        self._backoff_s = _FIRST_BACKOFF_S
        self._was_stable = False
        self._on_end: dict[str, list[tuple[int, bool]]] = {}
        self._decode = msgspec.msgpack.Decoder(Request).decode
        self._selector = selectors.DefaultSelector()
        self._exit: int | None = None

    def stop(self) -> None:
        """Ask `run` to end everything. To be called in a signal handler."""
        self._exit = self._exit or 0

    def run(self) -> int:
        """Serve; return the exit code: 0 when told to stop, 1 when the web process cannot start."""
        with _signals(self.stop) as woken, _private_folder() as folder:
            self._selector.register(woken, selectors.EVENT_READ)
            self._engines = {s.name: EngineChild(s, folder) for s in self._sessions}
            try:
                self._serve(woken)
            finally:
                self._end()
        return self._exit or 0

    def _serve(self, woken: socket.socket) -> None:
        self._start_web()
        for engine in self._engines.values() if self._autostart else ():
            engine.start()
        self._tell()
        while self._exit is None:
            for key, events in self._selector.select(self._timeout_s()):
                if key.fileobj is woken:
                    woken.recv(4096)
                elif self._web is not None and key.fileobj is self._web.line:
                    self._hear(self._web, events)
            self._bury_web()
            self._bury_engines()
            self._do_what_is_due()

    def _timeout_s(self) -> float | None:
        due = [self._web_due_s, *(e.kill_at_s for e in self._engines.values())]
        due += [self._web.kill_at_s] if self._web is not None else []
        first_s = min((d for d in due if d is not None and d < math.inf), default=None)
        return None if first_s is None else max(0.0, first_s - self._clock.now())

    def _do_what_is_due(self) -> None:
        now_s = self._clock.now()
        for engine in self._engines.values():
            if engine.kill_at_s is not None and now_s >= engine.kill_at_s:
                _log.warning("the engine of %s does not end; killed", engine.served.name)
                engine.kill()
        web = self._web
        if web is not None and web.kill_at_s is not None and now_s >= web.kill_at_s:
            web.process.kill()
            web.kill_at_s = math.inf
        if self._web_due_s is not None and now_s >= self._web_due_s:
            self._start_web()
            self._tell()

    # the web process

    def _start_web(self) -> None:
        self._web_due_s = None
        self._web = WebChild(self._command, self._listener, self._clock.now())
        self._selector.register(self._web.line, selectors.EVENT_READ)

    def _bury_web(self) -> None:
        web = self._web
        if web is None or (code := web.ended()) is None:
            return
        if web.kill_at_s is None:
            self._selector.unregister(web.line)
        web.close()
        self._web = None
        for waiting in self._on_end.values():  # nobody is there to be answered
            waiting[:] = [(0, starts_again) for _, starts_again in waiting]
        lived_s = self._clock.now() - web.started_s
        self._was_stable = self._was_stable or lived_s > _STABLE_S
        if code > 0 and not self._was_stable:
            _log.error("the web process cannot start: it %s", how_it_ended(code))
            self._exit = 1
            return
        self._backoff_s = _FIRST_BACKOFF_S if lived_s > _STABLE_S else self._backoff_s
        _log.error(
            "the web process was %s; a new one in %.1f s", how_it_ended(code), self._backoff_s
        )
        self._web_due_s = self._clock.now() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _LAST_BACKOFF_S)

    def _hear(self, web: WebChild, events: int) -> None:
        if events & selectors.EVENT_WRITE and web.flush():
            self._selector.modify(web.line, selectors.EVENT_READ)
        if not events & selectors.EVENT_READ:
            return
        try:
            data = web.line.recv(65536)
            requests = [self._decode(p) for p in web.frames.feed(data)]
        except (OSError, FrameTooLong, msgspec.MsgspecError) as e:
            _log.error("the web process talks nonsense: %s", e)
            data, requests = b"", []
        if not data:  # without its line it is of no use; its exit code says more than a kill
            self._selector.unregister(web.line)
            web.kill_at_s = self._clock.now() + _GRACE_S
        for request in requests:
            self._do(request)

    def _say(self, message: Answer | Sessions) -> None:
        if self._web is not None and self._web.kill_at_s is None:
            self._web.send(message)
            if not self._web.flush():
                both = selectors.EVENT_READ | selectors.EVENT_WRITE
                self._selector.modify(self._web.line, both)

    def _tell(self) -> None:
        self._say(Sessions(sessions=tuple(e.record() for e in self._engines.values())))

    # the engines

    def _do(self, request: Request) -> None:
        engine = self._engines.get(request.session)
        if engine is None:
            known = ", ".join(self._engines) or "none"
            error, fix = f"there is no session {request.session!r}", f"there is: {known}"
            self._say(Answer(call=request.call, ok=False, error=error, fix=fix))
            return
        match request:
            case StartSession():
                self._start(engine, request.call)
            case StopSession():
                self._restart(engine, request.call, starts_again=False)
            case RestartSession():
                engine.served = replace(engine.served, start_s=None)
                self._restart(engine, request.call, starts_again=True)
            case SeekReplay():
                engine.served = replace(engine.served, start_s=request.start_s)
                self._restart(engine, request.call, starts_again=True)
            case LoadModel():
                engine.served = replace(engine.served, model=Path(request.model))
                self._restart(engine, request.call, starts_again=True)

    def _start(self, engine: EngineChild, call: int) -> None:
        if engine.kill_at_s is not None:  # it is ending: the new one comes after it
            self._on_end.setdefault(engine.served.name, []).append((call, True))
            return
        if engine.process is None:
            engine.start()
            self._tell()
        self._say(Answer(call=call, ok=True))

    def _restart(self, engine: EngineChild, call: int, starts_again: bool) -> None:
        if engine.process is not None:
            engine.ask_to_end(self._clock.now() + _GRACE_S)
            self._on_end.setdefault(engine.served.name, []).append((call, starts_again))
        elif starts_again:
            self._start(engine, call)
        else:
            engine.forget()
            self._tell()
            self._say(Answer(call=call, ok=True))

    def _bury_engines(self) -> None:
        for engine in self._engines.values():
            if not engine.bury():
                continue
            record = engine.record()
            _log.info("the engine of %s: %s", record.name, record.reason)
            waiting = self._on_end.pop(record.name, [])
            self._tell()
            if waiting and waiting[-1][1]:  # what was asked last counts
                engine.start()
                self._tell()
            for call in (call for call, _ in waiting if call):
                self._say(Answer(call=call, ok=True))

    def _end(self) -> None:
        """End every child within two seconds, by force if need be."""
        deadline_s = self._clock.now() + _GRACE_S
        for engine in self._engines.values():
            engine.ask_to_end(deadline_s)
        if self._web is not None:
            self._web.close()
        processes = [e.process for e in self._engines.values() if e.process is not None]
        processes += [self._web.process] if self._web is not None else []
        for process in processes:
            try:
                process.wait(max(0.0, deadline_s - self._clock.now()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for engine in self._engines.values():
            engine.bury()
            engine.close()
        self._selector.close()
        self._listener.close()


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[socket.socket]:
    """Give a socket that is readable after each signal; stop at SIGINT and SIGTERM."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    before_wake = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    handlers: dict[signal.Signals, Callable[..., None]] = {
        signal.SIGCHLD: lambda number, where: None,  # the wake-up is all
        signal.SIGINT: lambda number, where: stop(),
        signal.SIGTERM: lambda number, where: stop(),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    with woken, wake:
        try:
            yield woken
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_wake)


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a directory that nobody else can enter; it goes at the end."""
    place = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="bci-", dir=place) as folder:  # made with mode 0700
        yield Path(folder)


def _cannot_bind(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {where}: another program does already. Stop it, or choose another "
            "port (0: any that is free)"
        )
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: not permitted. Choose a port above 1023"
    return f"cannot listen on {where}: {error.strerror}"
