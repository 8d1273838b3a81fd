"""Server-sent events: the same JSON as on the WebSocket, for clients without one."""

# No postponed annotations: FastAPI must see dependencies that are made in `router`.

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from bci_server.calls import ResumeFrom
from bci_server.web.auth import Grant
from bci_server.web.delivery import JSON, Encoded, Overflow, Pending
from bci_server.web.hub import RAW_TOPICS, TOPICS
from bci_server.web.live import Live
from bci_server.web.outbox import too_slow
from bci_server.web.routes.access import PROBLEMS, ticket_or_bearer
from bci_server.web.services import Problem, Refused, Services
from bci_server.wire import DataMessage, Hello, Topic

__all__ = ["router"]

_KEEP_ALIVE_S = 15.0


class Mailbox:
    """Holds what waits for one listener until it is fetched."""

    def __init__(self) -> None:
        self.pending = Pending()
        self.overflow: Overflow | None = None
        self._filled = asyncio.Event()

    def push(self, encoded: Encoded) -> None:
        """Take a message in."""
        if self.overflow is None:
            try:
                self.pending.put(encoded)
            except Overflow as overflow:
                self.overflow = overflow
        self._filled.set()

    def push_missed(self, messages: Iterable[Encoded]) -> None:
        """Take in messages of the history."""
        for encoded in messages:
            self.pending.put_missed(encoded)
        self._filled.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when something is there.

        Raises
        ------
        TimeoutError
            Nothing came in time.
        """
        async with asyncio.timeout(timeout_s):
            await self._filled.wait()
        self._filled.clear()


def router(services: Services) -> APIRouter:
    """Return the route."""
    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=PROBLEMS)
    responses: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        404: {"model": Problem},
        503: {"model": Problem, "description": "too many clients"},
    }

    @routes.get("/{session}/events", response_class=StreamingResponse, responses=responses)
    async def events(
        session: str,
        grant: Annotated[Grant, Depends(ticket_or_bearer(services))],
        topics: Annotated[
            str, Query(description="topics, with commas between")
        ] = "commands,predictions,tokens,status,markers",
        rate_hz: Annotated[
            float | None, Query(gt=0, allow_inf_nan=False, description="as in `subscribe`")
        ] = None,
        last_event_id: Annotated[str | None, Header(description="where to go on from")] = None,
    ) -> StreamingResponse:
        """Send what is published, as `event: TYPE`, `data: JSON`; a browser resumes by itself."""
        live = services.live(session)
        wanted = _topics(topics, grant)
        if services.crowd.is_full:
            services.crowd.n_refused += 1
            raise Refused(
                503,
                "too_many_clients",
                f"{services.crowd.limit} clients are connected, and no more are served",
                "close some, or raise BCI_MAX_CLIENTS",
            )
        return StreamingResponse(
            _stream(services, live, wanted, rate_hz, _since(last_event_id)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


async def _stream(
    services: Services,
    live: Live,
    topics: tuple[Topic, ...],
    rate_hz: float | None,
    since: ResumeFrom | None,
) -> AsyncIterator[bytes]:
    mailbox = Mailbox()
    services.crowd.n += 1
    live.clients.add(mailbox)
    try:
        mailbox.push(Encoded(live.hello()))
        mailbox.push_missed([] if since is None else live.hub.missed(topics, since)[1])
        position = _Position(live)
        live.hub.subscribe(mailbox, topics, rate_hz)
        live.watch()
        while mailbox.overflow is None:
            while mailbox.pending:
                yield position.event(mailbox.pending.pop())
            try:
                await mailbox.wait(_KEEP_ALIVE_S)
            except TimeoutError:
                yield b": still here\n\n"
        services.crowd.n_too_slow += 1
        yield _event("error", JSON.encode(too_slow(mailbox.overflow)), "")
    finally:
        services.crowd.n -= 1
        live.left(mailbox, "")


class _Position:
    """How far a listener has come, as an event id: ``epoch/commands=12,tokens=3``."""

    def __init__(self, live: Live) -> None:
        self._epoch = live.hub.epoch
        self._seqs: dict[str, int] = {}

    def event(self, encoded: Encoded) -> bytes:
        message = encoded.message
        if isinstance(message, Hello):
            self._epoch, self._seqs = message.epoch, {}
        elif isinstance(message, DataMessage):
            self._seqs[message.topic] = message.seq
        seqs = ",".join(f"{topic}={seq}" for topic, seq in self._seqs.items())
        kind = message.__struct_config__.tag
        return _event(str(kind), encoded.written(JSON).payload, f"{self._epoch}/{seqs}")


def _event(kind: str, data: bytes, position: str) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), position.encode(), data)


def _since(event_id: str | None) -> ResumeFrom | None:
    """Return where an event id points; one that is none of ours points nowhere."""
    if not event_id:
        return None
    epoch, _, rest = event_id.partition("/")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    seqs = {topic: int(seq) for topic, _, seq in pairs if seq.isascii() and seq.isdigit()}
    return ResumeFrom(epoch=epoch, seq=seqs)


def _topics(text: str, grant: Grant) -> tuple[Topic, ...]:
    named = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in named if name not in TOPICS]
    if unknown or not named:
        raise Refused(
            422, "unknown_topic", f"there is no topic {text!r}", f"topics are: {', '.join(TOPICS)}"
        )
    topics = tuple(topic for topic in TOPICS if topic in named)
    if RAW_TOPICS.intersection(topics) and "raw" not in grant.scopes:
        raise Refused(
            403,
            "forbidden",
            "signal and features need the scope `raw`, which the token does not have",
            "use a token that has it; BCI_TOKENS says what each token may do",
        )
    return topics
