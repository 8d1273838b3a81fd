"""The WebSocket of one session: PROTOCOL version 1."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from bci_server.calls import Auth
from bci_server.web.auth import Grant
from bci_server.web.conversation import Conversation, NotUnderstood, decode, unauthorized
from bci_server.web.delivery import ENCODINGS, JSON, Encoding
from bci_server.web.outbox import TOO_SLOW, AsgiSink, Gone, Outbox, Sink
from bci_server.web.services import Refused, Services
from bci_server.web.sockets import EXTENSION
from bci_server.wire import ErrorMessage

__all__ = ["router"]

FULL = 1013
UNKNOWN_SESSION = 4404
UNKNOWN_SUBPROTOCOL = 4406


def router(services: Services) -> APIRouter:
    """Return the route."""
    routes = APIRouter()

    @routes.websocket("/v1/sessions/{session}/stream")
    async def stream(websocket: WebSocket, session: str) -> None:
        services.crowd.n += 1
        try:
            await _serve(websocket, session, services)
        except (WebSocketDisconnect, Gone):
            pass  # the client has gone; `_serve` has cleaned up
        finally:
            services.crowd.n -= 1

    return routes


async def _serve(websocket: WebSocket, session: str, services: Services) -> None:
    offered = websocket.scope["subprotocols"]
    encoding = next((ENCODINGS[name] for name in offered if name in ENCODINGS), None)
    await websocket.accept(subprotocol=encoding.subprotocol if encoding else None)
    outbox = Outbox(_sink(websocket), encoding or JSON)
    try:
        if encoding is None and offered:
            raise _unknown_subprotocol(offered)
        if services.crowd.n > services.crowd.limit:
            services.crowd.n_refused += 1
            raise _full(services.crowd.limit)
        await _converse(websocket, session, services, outbox)
    except NotUnderstood as end:
        outbox.close(end.code, end.error)
        await _closed(websocket)
    except Refused as refused:
        problem = refused.problem
        outbox.close(
            UNKNOWN_SESSION,
            ErrorMessage(code=problem.code, cause=problem.cause, fix=problem.fix),
        )
        await _closed(websocket)
    finally:
        services.crowd.n_too_slow += outbox.close_code == TOO_SLOW
        outbox.abandon()


async def _converse(websocket: WebSocket, session: str, services: Services, outbox: Outbox) -> None:
    grant = await _authenticate(websocket, services, outbox.encoding)
    conversation = Conversation(services.live(session), grant, services.tokens, outbox)
    conversation.open()
    try:
        while (received := await _receive(websocket)) is not None:
            await conversation.hear(decode(received, outbox.encoding))
    finally:
        conversation.close()


async def _authenticate(websocket: WebSocket, services: Services, encoding: Encoding) -> Grant:
    header = websocket.headers.get("authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        grant = services.tokens.grant(token.strip()) if kind.lower() == "bearer" else None
        return _granted(grant, "the token in the Authorization header is wrong")
    ticket = websocket.query_params.get("ticket")
    if ticket is not None:
        return _granted(services.tickets.redeem(ticket), "the ticket is unknown, used or expired")
    try:
        async with asyncio.timeout(services.auth_timeout_s):
            received = await _receive(websocket)
    except TimeoutError as e:
        raise unauthorized(f"no token came within {services.auth_timeout_s:g} s") from e
    if received is None:
        raise Gone("the client left before it said who it is")
    message = decode(received, encoding)
    if not isinstance(message, Auth):
        raise unauthorized("the first message must be `auth`")
    return _granted(services.tokens.grant(message.token), "the token is wrong")


def _granted(grant: Grant | None, cause: str) -> Grant:
    if grant is None:
        raise unauthorized(cause)
    return grant


async def _receive(websocket: WebSocket) -> str | bytes | None:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    received: Any = message.get("bytes") if text is None else text
    return received


async def _closed(websocket: WebSocket) -> None:
    """Wait until the client has been told, and take no notice of what it still says."""
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            while await _receive(websocket) is not None:
                pass


def _sink(websocket: WebSocket) -> Sink:
    direct: Sink | None = websocket.scope.get("extensions", {}).get(EXTENSION)
    return AsgiSink(websocket.send) if direct is None else direct


def _unknown_subprotocol(offered: list[str]) -> NotUnderstood:
    return NotUnderstood(
        UNKNOWN_SUBPROTOCOL,
        ErrorMessage(
            code="unknown_subprotocol",
            cause=f"the client speaks {', '.join(offered)}",
            fix=f"offer {' or '.join(ENCODINGS)}, or none for {JSON.subprotocol}",
        ),
    )


def _full(limit: int) -> NotUnderstood:
    return NotUnderstood(
        FULL,
        ErrorMessage(
            code="too_many_clients",
            cause=f"{limit} clients are connected, and no more are served",
            fix="close some, or raise BCI_MAX_CLIENTS",
        ),
    )
