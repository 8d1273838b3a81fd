"""The engine's end of the line to the web process. Never blocks the loop.

Messages go out from the loop's thread, each at once if the socket takes it. What it does not take
waits: status, markers, final tokens and decisions in order; of the rest only the newest of a kind,
and what it replaces is counted. Controls come in on a thread of their own, into a queue that the
loop looks at; the same thread takes new connections, of which the newest counts.

The end of the line is told to the loop like a control: `WebLost`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from bci_server.control import Answer, Control, Goodbye, Heartbeat, Shutdown, WebLost
from bci_server.link.frames import Frames, FrameTooLong, frame
from bci_server.wire import (
    DataMessage,
    MarkerMessage,
    PredictionMessage,
    StatusMessage,
    TokenMessage,
    VersionMessage,
)

__all__ = ["EngineEnd"]

_Kind = Literal["status", "answer", "lossless"]

_BACKLOG = 4096
_QUIET_S = 0.015
_READ_BYTES = 65536


class EngineEnd:
    """A sink and a source of controls for the loop.

    Parameters
    ----------
    listener
        A listening stream socket. Closed with this.
    begin
        What the thread does first.

    Attributes
    ----------
    n_replaced
        Messages that a newer one replaced because the web process did not keep up.
    n_lost
        Messages that should not be lost, and were: nobody was connected for long.
    """

    def __init__(self, listener: socket.socket, begin: Callable[[], object] = lambda: None) -> None:
        self.n_replaced = 0
        self.n_lost = 0
        self._listener = listener
        self._begin = begin
        self._inbox: deque[Control | WebLost] = deque()
        self._shutdown = threading.Event()
        self._lock = threading.Lock()  # what follows is shared with the thread below
        self._peer: socket.socket | None = None
        self._rest = b""
        self._backlog: deque[tuple[_Kind, bytes]] = deque()
        self._newest: dict[str, bytes] = {}
        self._last_status = b""
        self._spoke = False
        self._spoke_s = 0.0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Control).decode
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="link", daemon=True)
        self._thread.start()

    def put(self, message: DataMessage) -> None:
        """Send a message, or keep it for later as its kind demands."""
        data = frame(self._encode(message))
        with self._lock:
            self._spoke = True
            if isinstance(message, StatusMessage):
                self._last_status = data
                self._keep("status", data)
            elif not _may_be_replaced(message):
                self._newest.pop(message.topic, None)  # or an older one would follow a newer one
                self._keep("lossless", data)
            elif self._peer is not None and not self._is_behind():
                self._send(data)
            elif self._peer is not None:
                self.n_replaced += message.topic in self._newest
                self._newest[message.topic] = data

    def answer(self, answer: Answer) -> None:
        """Send an answer; whoever asked may be gone."""
        with self._lock:
            if self._peer is not None:
                self._keep("answer", frame(self._encode(answer)))

    def turn(self, now_s: float) -> None:
        """Send what waits, and a heartbeat if nothing was put for a while; answers do not count."""
        with self._lock:
            self._flush()
            if self._spoke:
                self._spoke, self._spoke_s = False, now_s
            elif now_s - self._spoke_s >= _QUIET_S and self._peer and not self._is_behind():
                self._send(frame(self._encode(Heartbeat())))
                self._spoke_s = now_s

    def take(self) -> Control | WebLost | None:
        """Return the oldest control that waits."""
        return self._inbox.popleft() if self._inbox else None

    def ask_shutdown(self) -> None:
        """Behave as if the web process had asked to shut down. Safe in a signal handler."""
        self._inbox.append(Shutdown())
        self._shutdown.set()

    def wait_for_shutdown(self, timeout_s: float) -> bool:
        """Wait, before the loop runs; True as soon as somebody asks to shut down."""
        return self._shutdown.wait(timeout_s)

    def close(self, goodbye: Goodbye, timeout_s: float = 0.5) -> None:
        """Say goodbye, after everything that waits, and let go. May wait `timeout_s`."""
        with self._lock:
            peer, self._peer = self._peer, None
            waiting = [self._rest, *(d for _, d in self._backlog), *self._newest.values()]
        if peer is not None:
            peer.settimeout(timeout_s)
            # A peer that is gone or stopped learns of the end by the end of file.
            with contextlib.suppress(OSError):
                peer.sendall(b"".join([*waiting, frame(self._encode(goodbye))]))
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        self._wake.close()
        self._thread.join()
        self._listener.close()

    def _is_behind(self) -> bool:
        return bool(self._rest or self._backlog)

    def _keep(self, kind: _Kind, data: bytes) -> None:
        if self._peer is None and kind != "lossless":
            return
        self._backlog.append((kind, data))
        if len(self._backlog) > _BACKLOG:
            self._drop_peer()  # it cannot have everything in order any more: it starts anew
        while len(self._backlog) > _BACKLOG:
            self._backlog.popleft()
            self.n_lost += 1
        self._flush()

    def _flush(self) -> None:
        while self._peer is not None:
            if self._rest:
                data, self._rest = self._rest, b""
            elif self._backlog:
                _, data = self._backlog.popleft()
            elif self._newest:
                data = self._newest.pop(next(iter(self._newest)))
            else:
                return
            self._send(data)
            if self._rest:
                return

    def _send(self, data: bytes) -> None:
        assert self._peer is not None
        try:
            n = self._peer.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            n = 0
        except OSError:
            self._drop_peer()
            return
        self._rest = data[n:]

    def _drop_peer(self) -> None:
        """Let the line go; the thread sees its end and closes it."""
        if self._peer is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                self._peer.shutdown(socket.SHUT_RDWR)
            self._peer = None
            self._rest = b""
            self._newest.clear()
            self._backlog = deque(kept for kept in self._backlog if kept[0] == "lossless")
            self._inbox.append(WebLost())

    def _adopt(self, peer: socket.socket) -> None:
        with self._lock:
            self._drop_peer()
            self._peer = peer
            if self._last_status:
                self._backlog.appendleft(("status", self._last_status))
            self._flush()

    def _listen(self) -> None:
        self._begin()
        heard: dict[socket.socket, Frames] = {}
        with selectors.DefaultSelector() as selector, self._woken:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._woken in ready:
                    break
                if self._listener in ready:
                    peer, _ = self._listener.accept()
                    selector.register(peer, selectors.EVENT_READ)
                    heard[peer] = Frames()
                    self._adopt(peer)
                for peer in [p for p in heard if p in ready]:
                    if not self._hear(peer, heard[peer]):
                        selector.unregister(peer)
                        del heard[peer]
                        self._forget(peer)
        for peer in heard:
            peer.close()

    def _hear(self, peer: socket.socket, frames: Frames) -> bool:
        """Take in what `peer` says; False if it is gone or makes no sense."""
        try:
            data = peer.recv(_READ_BYTES)
            for payload in frames.feed(data):
                control = self._decode(payload)
                self._inbox.append(control)
                if isinstance(control, Shutdown):
                    self._shutdown.set()
        except (OSError, FrameTooLong, msgspec.MsgspecError):
            return False
        return bool(data)

    def _forget(self, peer: socket.socket) -> None:
        with self._lock:
            if peer is self._peer:
                self._drop_peer()
        peer.close()


def _may_be_replaced(message: DataMessage) -> bool:
    """Say whether a newer one of its kind makes this one needless."""
    match message:
        case StatusMessage() | MarkerMessage() | VersionMessage():
            return False
        case TokenMessage():
            return not message.is_final
        case PredictionMessage():
            return message.decision is None
    return True
