"""The door: who may ask by Host and Origin, and how large a request may be. Plain ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from bci_server.web.auth import Doors

__all__ = ["MAX_BODY_BYTES", "Guard"]

MAX_BODY_BYTES = 64 * 1024

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Guard:
    """Turns away what comes under a wrong name, from a page of elsewhere, or too large.

    Parameters
    ----------
    app
        What it guards.
    doors
        Which hosts and origins are let in.
    """

    def __init__(self, app: _App, doors: Doors) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve the request, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(scope, receive, send, *refusal)

    def _refusal(self, scope: _Message) -> tuple[int, dict[str, str]] | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if not self._doors.knows_host(host):
            return 421, {
                "code": "unknown_host",
                "cause": f"this server does not go by the name {host!r}",
                "fix": "use its address or localhost, or name it in BCI_ALLOWED_HOSTS",
            }
        if not self._doors.lets_in(origin, host):
            return 403, {
                "code": "unknown_origin",
                "cause": f"pages of {origin!r} may not connect",
                "fix": "serve the page from an origin that is named in BCI_ALLOWED_ORIGINS",
            }
        if _body_bytes(headers) > MAX_BODY_BYTES or b"transfer-encoding" in headers:
            return 413, {
                "code": "too_large",
                "cause": f"a body has at most {MAX_BODY_BYTES} bytes, and says how many",
                "fix": "send less, with a Content-Length",
            }
        return None


def _body_bytes(headers: dict[bytes, str]) -> int:
    length = headers.get(b"content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else MAX_BODY_BYTES + 1


async def _answer(
    scope: _Message, receive: _Receive, send: _Send, status: int, problem: dict[str, str]
) -> None:
    prefix = ""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        prefix = "websocket."
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": body})
