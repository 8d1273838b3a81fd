"""uvicorn's protocols with short buffers, a way to write without waiting, and real ends.

Four things that ASGI has no word for. (1) The kernel and asyncio would keep megabytes for a
client that does not read: old commands, delivered late. Here it is some 100 KiB. (2) ASGI's
``send`` cannot say whether it would wait; `DirectSink` can, and it writes a frame that was made
once for all clients. (3) ``transport.close()`` waits for a full buffer to drain, which for a
frozen client is never; here the transport is aborted after a grace period. (4) A client that
sends its headers a byte a minute is cut off.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from bci_server.web.delivery import Written
from bci_server.web.outbox import Gone, Sink

__all__ = ["EXTENSION", "DirectSink", "PromptHttp", "PromptProtocol"]

EXTENSION = "bci.direct"
"""Where, in the ASGI scope's extensions, a connection's `DirectSink` is."""

_SEND_BUFFER_BYTES = 64 * 1024
_HIGH_WATER_BYTES = 16 * 1024


class PromptHttp(H11Protocol):
    """A connection whose requests must not take long to come.

    Attributes
    ----------
    headers_s
        How long a request may take from its first byte to its last header.
    """

    headers_s = 10.0

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client a while to ask."""
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Start the clock with a request's first byte, and stop it with its last header."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE or self.transport.get_protocol() is not self:
            self._stop()
        elif self._deadline is None:
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._deadline = self.loop.call_later(self.headers_s, self.transport.abort)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class PromptProtocol(WebSocketsSansIOProtocol):
    """A connection that holds little, and that ends when it is ended.

    Attributes
    ----------
    grace_s
        How long a client may take to read what was sent last.
    """

    grace_s = 5.0

    def connection_made(self, transport: BaseTransport) -> None:
        """Shorten the buffers."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        """Run the application, with the direct way out in its scope."""
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[EXTENSION] = DirectSink(self)
        await super().run_asgi()
        self.abort_later()

    def keepalive_timeout(self) -> None:
        """Close a connection whose client is not there, and do not wait for it."""
        super().keepalive_timeout()
        self.abort_later()

    def abort_later(self) -> None:
        """Give the client a while to take what was sent, then cut it off."""
        if not self.disconnected:
            self.loop.call_later(self.grace_s, self.transport.abort)


class DirectSink(Sink):
    """Writes frames straight onto uvicorn's transport.

    Parameters
    ----------
    protocol
        The connection.
    """

    def __init__(self, protocol: PromptProtocol) -> None:
        self._protocol = protocol

    def write_now(self, written: Written) -> bool:
        """Write if the transport is not paused."""
        protocol = self._protocol
        if not protocol.writable.is_set() or self._is_over:
            return False
        protocol.transport.write(written.frame)
        return True

    async def room(self) -> None:
        """Return when the transport is not paused."""
        await self._protocol.writable.wait()
        if self._is_over:
            raise Gone("the connection has ended")

    async def write(self, written: Written) -> None:
        """Write when there is room."""
        await self.room()
        self._protocol.transport.write(written.frame)

    def close(self, code: int, reason: str, last: Written | None) -> None:
        """Send `last` and a close frame, even when the transport is paused; then cut off."""
        protocol = self._protocol
        if self._is_over:
            return
        if last is not None:
            protocol.transport.write(last.frame)
        protocol.conn.send_close(code, reason)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if protocol.read_paused:
            # The client's own close frame must be seen, or the handshake never ends.
            protocol.read_paused = False
            protocol.transport.resume_reading()
        protocol.close_timer = asyncio.get_running_loop().call_later(
            protocol.grace_s, protocol.transport.abort
        )

    @property
    def _is_over(self) -> bool:
        protocol = self._protocol
        return protocol.disconnected or protocol.close_sent or protocol.transport.is_closing()
