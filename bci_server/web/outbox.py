"""The way out to one client: straight onto its socket, or, while that is full, a bounded buffer.

A message is written at once, from the place where it was made, as long as the socket takes it:
no queue, no task, no switch. When the socket is full, messages gather in a `Pending` buffer and
one task empties it when there is room again. So a slow client costs itself, and nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

from starlette.websockets import WebSocketDisconnect

from bci_server.web.delivery import Encoded, Encoding, Overflow, Pending, Written
from bci_server.wire import ErrorMessage

__all__ = ["TOO_SLOW", "AsgiSink", "Gone", "Listener", "Outbox", "Sink", "too_slow"]

TOO_SLOW = 4008
"""Close code of a client that could not follow what must not be skipped."""

_SINK_CLOSE_S = 5.0


class Gone(Exception):
    """The client is not there any more."""


class Listener(Protocol):
    """Somebody who is sent messages; what waits for it is in `pending`."""

    pending: Pending

    def push(self, encoded: Encoded) -> None:
        """Send a message now, or as soon as there is room. Never waits, never raises."""

    def push_missed(self, messages: Iterable[Encoded]) -> None:
        """Send messages of the history, however many; what is pushed after them comes after."""


class Sink(Protocol):
    """Where frames go."""

    def write_now(self, written: Written) -> bool:
        """Write if that needs no waiting; else do nothing and return False."""

    async def write(self, written: Written) -> None:
        """Write, waiting for room.

        Raises
        ------
        Gone
            When the connection has ended.
        """

    async def room(self) -> None:
        """Return when `write_now` is worth a try.

        Raises
        ------
        Gone
            When the connection has ended.
        """

    def close(self, code: int, reason: str, last: Written | None) -> None:
        """Send `last` and close, without waiting, even when the socket is full."""


class AsgiSink:
    """Writes through plain ASGI, which cannot say whether it would wait: works on any server.

    Parameters
    ----------
    send
        The connection's ASGI ``send``.
    """

    def __init__(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        self._send = send
        self._closing: asyncio.Task[None] | None = None

    def write_now(self, written: Written) -> bool:
        """Return False: nobody knows."""
        return False

    async def room(self) -> None:
        """Return at once: `write` does the waiting."""

    async def write(self, written: Written) -> None:
        """Write, waiting for room."""
        key, value = ("text", written.payload.decode()) if written.is_text else _binary(written)
        try:
            await self._send({"type": "websocket.send", key: value})
        except (OSError, WebSocketDisconnect) as error:
            raise Gone("the connection has ended") from error

    def close(self, code: int, reason: str, last: Written | None) -> None:
        """Send `last` and close, in a task that gives up after a while."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason, last))

    async def _close(self, code: int, reason: str, last: Written | None) -> None:
        with suppress(Gone, OSError, TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(_SINK_CLOSE_S):
                if last is not None:
                    await self.write(last)
                await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _binary(written: Written) -> tuple[str, Any]:
    return "bytes", written.payload


class Outbox:
    """Sends messages to one client.

    Parameters
    ----------
    sink
        Its socket.
    encoding
        Its encoding.
    pending
        The buffer for when the socket is full.
    """

    def __init__(self, sink: Sink, encoding: Encoding, pending: Pending | None = None) -> None:
        self.pending = pending or Pending()
        self.encoding = encoding
        self.is_closed = False
        self.close_code: int | None = None
        self.n_sent = 0
        self._sink = sink
        self._flushing: asyncio.Task[None] | None = None

    def push(self, encoded: Encoded) -> None:
        """Send a message now, or as soon as there is room. Never waits, never raises.

        A client that has let too much gather is closed with 4008.
        """
        if self.is_closed:
            return
        if self._flushing is None and self._sink.write_now(encoded.written(self.encoding)):
            self.n_sent += 1
            return
        try:
            self.pending.put(encoded)
        except Overflow as overflow:
            self.close(TOO_SLOW, too_slow(overflow))
            return
        self._flush_later()

    def push_missed(self, messages: Iterable[Encoded]) -> None:
        """Send messages of the history: as many now as the socket takes, the rest after that."""
        for encoded in messages:
            if self.is_closed:
                return
            if self._flushing is None and self._sink.write_now(encoded.written(self.encoding)):
                self.n_sent += 1
            else:
                self.pending.put_missed(encoded)
                self._flush_later()

    def close(self, code: int, error: ErrorMessage | None = None) -> None:
        """Say why, and close. What waits is not sent any more."""
        if self.is_closed:
            return
        self.is_closed = True
        self.close_code = code
        self.pending.clear()
        last = None if error is None else Encoded(error).written(self.encoding)
        self._sink.close(code, "" if error is None else error.code, last)

    def abandon(self) -> None:
        """Forget the client: it has gone."""
        self.is_closed = True
        self.pending.clear()
        if self._flushing is not None:
            self._flushing.cancel()

    def _flush_later(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self.pending and not self.is_closed:
                await self._sink.room()
                if self.pending:
                    await self._send_oldest()
        except Gone:
            self.is_closed = True
            self.pending.clear()
        finally:
            self._flushing = None

    async def _send_oldest(self) -> None:
        written = self.pending.pop().written(self.encoding)
        if not self._sink.write_now(written):
            await self._sink.write(written)
        self.n_sent += 1


def too_slow(overflow: Overflow) -> ErrorMessage:
    """Return what a client is told that could not follow."""
    return ErrorMessage(
        code="too_slow",
        cause=f"the client does not read fast enough: {overflow}",
        fix="connect again and subscribe with `from` to get what was missed",
    )
