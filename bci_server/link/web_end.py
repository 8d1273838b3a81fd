"""The web process's ends: a line to each engine, and one to the supervisor. On asyncio.

The engine's line is re-made whenever it breaks: the supervisor holds the listening socket, so one
can connect even while no engine runs, and is served as soon as one does. A line that is open but
silent means that the engine hangs or was stopped; `EngineListener.silent` says so once, and the
next message ends it. Answers break no silence: threads beside the loop give some.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

import msgspec

from bci_server.control import (
    Answer,
    Control,
    EngineMessage,
    Goodbye,
    Heartbeat,
    Request,
    Sessions,
    SupervisorMessage,
)
from bci_server.link.frames import Frames, frame

__all__ = ["EngineLink", "EngineListener", "LinkLost", "SupervisorLink"]

_RETRY_S = 0.1
"""Pause before connecting again, where the socket is not there."""

SILENCE_S = 0.09
"""A turning loop sends something at least every 35 ms; an effector is to know within 150 ms."""


class LinkLost(Exception):
    """The other process went away, or did not answer in time."""


class EngineListener(Protocol):
    """Is told what comes from an engine, on the event loop. Returns at once."""

    def connected(self) -> None:
        """Note that a line stands; whether an engine serves it shows with its first message."""

    def message(self, message: EngineMessage) -> None:
        """Take one message. `Heartbeat` and `Answer` are not passed on."""

    def silent(self) -> None:
        """Note that an engine whose loop had spoken on this line is silent for too long."""

    def lost(self, goodbye: Goodbye | None) -> None:
        """Note that the line is gone; without a goodbye, the engine died."""


class _Line(asyncio.Protocol):
    """Frames in, frames out."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for payload in self._frames.feed(data):
            self._received(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, payload: bytes) -> None:
        if self._transport is None:
            raise LinkLost("the line is closed")
        self._transport.write(frame(payload))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Calls:
    """Matches answers with what they answer."""

    def __init__(self) -> None:
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    def number(self) -> int:
        self._last += 1
        return self._last

    async def answer(self, call: int, timeout_s: float, who: str) -> Answer:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[call] = waiting
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError as e:
            raise LinkLost(f"the {who} did not answer within {timeout_s:g} s") from e
        finally:
            del self._waiting[call]

    def settle(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.call)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def abandon(self, why: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkLost(why))


class EngineLink:
    """The line to one engine; `run` keeps it up.

    Parameters
    ----------
    path
        The engine's socket (`SessionRecord.socket`).
    listener
        Is told what comes.
    silence_s
        How long an engine may say nothing.
    """

    def __init__(self, path: str, listener: EngineListener, silence_s: float = SILENCE_S) -> None:
        self._path = path
        self._listener = listener
        self._silence_s = silence_s
        self._calls = _Calls()
        self._line: _Line | None = None
        self._goodbye: Goodbye | None = None
        self._heard_s: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._decode = msgspec.msgpack.Decoder(EngineMessage).decode
        self._encode = msgspec.msgpack.Encoder().encode

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    _, self._line = await loop.create_unix_connection(
                        lambda: _Line(self._received), self._path
                    )
                except (FileNotFoundError, ConnectionRefusedError):
                    await asyncio.sleep(_RETRY_S)
                    continue
                self._listener.connected()
                await self._line.closed
                self._broke()
        finally:
            if self._line is not None:
                self._line.close()
            self._unwatch()
            self._calls.abandon("this process is ending")

    async def call(self, control: Control, timeout_s: float = 1.0) -> Answer:
        """Ask the engine for something and return its answer.

        Raises
        ------
        LinkLost
            No engine, or none that answers: nothing can be said about what it did.
        """
        call = self._calls.number()
        self._send(msgspec.structs.replace(control, call=call))
        return await self._calls.answer(call, timeout_s, "engine")

    def send(self, control: Control) -> None:
        """Tell the engine something without waiting for its answer.

        Raises
        ------
        LinkLost
            There is no line.
        """
        self._send(control)

    def _send(self, control: Control) -> None:
        if self._line is None:
            raise LinkLost("the engine is not running")
        self._line.send(self._encode(control))

    def _received(self, payload: bytes) -> None:
        message = self._decode(payload)
        if isinstance(message, Answer):  # any thread may give it: it does not say that a loop turns
            self._calls.settle(message)
            return
        self._heard_s = asyncio.get_running_loop().time()
        if self._watch is None:
            self._watch_again(self._silence_s)
        if not isinstance(message, Heartbeat):
            if isinstance(message, Goodbye):
                self._goodbye = message
            self._listener.message(message)

    def _watch_again(self, delay_s: float) -> None:
        self._watch = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        assert self._heard_s is not None
        due_s = self._heard_s + self._silence_s - asyncio.get_running_loop().time()
        if due_s > 0:
            self._watch_again(due_s)
        else:
            self._watch = None  # the next message starts it again
            if self._goodbye is None:
                self._listener.silent()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _broke(self) -> None:
        self._unwatch()
        self._line = None
        goodbye, self._goodbye = self._goodbye, None
        self._calls.abandon("the engine ended")
        self._listener.lost(goodbye)


class SupervisorLink:
    """The line to the supervisor, over a socket that the process was started with.

    Parameters
    ----------
    fd
        The inherited socket.
    on_sessions
        Is told all sessions, at first and after every change.
    """

    def __init__(self, fd: int, on_sessions: Callable[[Sessions], None]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._on_sessions = on_sessions
        self._calls = _Calls()
        self._line: _Line | None = None
        self._decode = msgspec.msgpack.Decoder(SupervisorMessage).decode
        self._encode = msgspec.msgpack.Encoder().encode

    async def run(self) -> None:
        """Serve the line; returns when the supervisor is gone, and then so should the process."""
        self._socket.setblocking(False)
        _, self._line = await asyncio.get_running_loop().create_connection(
            lambda: _Line(self._received), sock=self._socket
        )
        try:
            await self._line.closed
        finally:
            self._line.close()
            self._line = None
            self._calls.abandon("the supervisor is gone")

    async def call(self, request: Request, timeout_s: float = 10.0) -> Answer:
        """Ask the supervisor for something and return its answer.

        Raises
        ------
        LinkLost
            It is gone or does not answer.
        """
        if self._line is None:
            raise LinkLost("there is no supervisor")
        call = self._calls.number()
        self._line.send(self._encode(msgspec.structs.replace(request, call=call)))
        return await self._calls.answer(call, timeout_s, "supervisor")

    def _received(self, payload: bytes) -> None:
        message = self._decode(payload)
        if isinstance(message, Answer):
            self._calls.settle(message)
        else:
            self._on_sessions(message)
