"""One WebSocket to one session, from greeting to close: opened, or refused with the reason."""

from __future__ import annotations

from ssl import SSLContext
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from bci_server.calls import ClientMessage
from bci_server.client.errors import Rejected, UnknownSession, Unreachable, WrongToken
from bci_server.web.delivery import JSON, MSGPACK
from bci_server.wire import ErrorMessage, Hello, ServerMessage

__all__ = ["Line", "LineClosed", "stream_address"]

_MAX_BYTES = 16 * 2**20
_REJECTIONS = {"unauthorized": WrongToken, "unknown_session": UnknownSession}
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class LineClosed(Exception):
    """The connection broke or was closed."""


class Line:
    """An open connection.

    Attributes
    ----------
    hello
        The server's greeting.
    """

    def __init__(self, socket: ClientConnection, msgpack: bool) -> None:
        self._socket = socket
        decoder: Any = msgspec.msgpack.Decoder if msgpack else msgspec.json.Decoder
        self._decode = decoder(ServerMessage).decode
        self._encoding = MSGPACK if msgpack else JSON
        self.hello: Hello

    @classmethod
    async def open(
        cls, url: str, token: str, msgpack: bool, tls: SSLContext | None, patience_s: float
    ) -> Self:
        """Connect, and wait for the greeting.

        Parameters
        ----------
        url, token, msgpack, tls
            As for `bci_server.client.connect`.
        patience_s
            How long an answer may take.

        Raises
        ------
        Unreachable
            Nobody answers.
        Rejected
            The server answers, but does not serve us.
        """
        encoding = MSGPACK if msgpack else JSON
        try:
            socket = await open_websocket(
                url,
                additional_headers={"Authorization": f"Bearer {token}"},
                subprotocols=[Subprotocol(encoding.subprotocol)],
                compression=None,
                max_size=_MAX_BYTES,
                open_timeout=patience_s,
                proxy=None,
                ssl=tls,
            )
        except InvalidStatus as refused:
            raise Rejected(_body(refused)) from refused
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise Unreachable(f"no server answers at {url}: {error}") from error
        line = cls(socket, msgpack)
        try:
            line.hello = await line._greeting()
        except LineClosed as closed:
            raise Unreachable(f"{url} closed the connection at once: {closed}") from closed
        return line

    async def send(self, message: ClientMessage) -> None:
        """Send one message.

        Raises
        ------
        LineClosed
            The connection is not there any more.
        """
        payload = self._encoding.encode(message)
        try:
            await self._socket.send(payload, text=self._encoding.is_text)
        except ConnectionClosed as closed:
            raise LineClosed(str(closed)) from closed

    async def receive(self) -> ServerMessage:
        """Return the next message.

        Raises
        ------
        LineClosed
            There is none any more.
        Rejected
            It is none of the protocol's.
        """
        try:
            message: ServerMessage = self._decode(await self._socket.recv(decode=False))
        except ConnectionClosed as closed:
            raise LineClosed(str(closed)) from closed
        except msgspec.MsgspecError as error:
            raise Rejected(
                f"the server sent what this client does not understand ({error}); "
                "use client and server of the same version"
            ) from error
        return message

    async def close(self) -> None:
        """Close it."""
        await self._socket.close()

    async def _greeting(self) -> Hello:
        message = await self.receive()
        if isinstance(message, ErrorMessage):
            await self.close()
            kind = _REJECTIONS.get(message.code, Rejected)
            raise kind(f"{message.cause}; {message.fix}")
        if not isinstance(message, Hello):
            await self.close()
            raise Rejected(f"the server greets with a {type(message).__name__}, not with `hello`")
        return message


def stream_address(url: str, session: str | None) -> str:
    """Return the address of a session's stream on the server at `url`.

    Raises
    ------
    ValueError
        `url` is no address of a server, or it names no session and `session` does not either.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"{url!r} is no address such as ws://127.0.0.1:8765")
    path = parts.path.rstrip("/")
    if not path.endswith("/stream"):
        if session is None:
            raise ValueError(f"{url!r} names no session; give session=…")
        path = f"{path}/v1/sessions/{quote(session, safe='')}/stream"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def _body(refused: InvalidStatus) -> str:
    response = refused.response
    try:
        problem = msgspec.json.decode(response.body or b"", type=dict[str, str])
    except msgspec.MsgspecError:
        return f"the server answers {response.status_code} {response.reason_phrase}"
    return f"{problem.get('cause')}; {problem.get('fix')}"
