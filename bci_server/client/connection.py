"""One client: a line that is made again when it breaks, and what travels on it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLContext
from types import TracebackType
from typing import Self, get_args

import msgspec

from bci_server.calls import Call, Ping, ResumeFrom, Subscribe, Unsubscribe
from bci_server.client.calls import Calls
from bci_server.client.clock_offset import ClockOffset
from bci_server.client.errors import CallRefused, ClientError, Lost, Unreachable
from bci_server.client.line import Line, LineClosed, stream_address
from bci_server.client.subscription import Inbox, Subscription
from bci_server.wire import (
    DataMessage,
    FeaturesMessage,
    Hello,
    Result,
    ServerMessage,
    SignalMessage,
    Topic,
    VoiceMessage,
)

__all__ = ["Client", "connect"]

_DATA = get_args(DataMessage)
_LOSSY = SignalMessage | FeaturesMessage | VoiceMessage
_FIRST_PATIENCE_S = 60.0
"""A server that is being started takes connections before it can answer."""
_NEXT_PATIENCE_S = 10.0
_CALL_TIMEOUT_S = 5.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_PING_S = 5.0


def connect(
    url: str,
    token: str,
    *,
    session: str | None = None,
    msgpack: bool = False,
    tls: SSLContext | None = None,
) -> Client:
    """Return a client; ``async with`` connects it.

    Parameters
    ----------
    url
        The server, such as ``ws://127.0.0.1:8765`` (or ``http``), with `session`; or the whole
        address of a session's stream.
    token
        As the server printed it.
    session
        Name of the session.
    msgpack
        Whether to speak msgpack instead of JSON.
    tls
        For ``wss``: whom to trust, if not the system's authorities.

    Raises
    ------
    ValueError
        The address is none.
    """
    return Client(stream_address(url, session), token, msgpack, tls)


@dataclass(slots=True)
class _Answer:
    """What a call waits for; `arrived` is run in the order of the messages."""

    result: asyncio.Future[Result]
    arrived: Callable[[Result], Awaitable[None]] | None


class Client(Calls):
    """A connection to one session, re-made whenever it breaks. See `connect`.

    Whoever subscribes must fetch: with 1,024 messages waiting, the client stops reading, and that
    includes the answers to calls. An application that hangs so loses its lease, as it should.

    Attributes
    ----------
    clock
        How far the server's clock is from ours.
    """

    def __init__(self, url: str, token: str, msgpack: bool, tls: SSLContext | None) -> None:
        self.url = url
        self.clock = ClockOffset()
        self._token = token
        self._msgpack = msgpack
        self._tls = tls
        self._line: Line | None = None
        self._hello: Hello | None = None
        self._running: list[asyncio.Task[None]] = []
        self._inboxes: list[Inbox] = []
        self._answers: dict[int, _Answer] = {}
        self._last_id = 0
        self._epoch = ""
        self._seqs: dict[str, int] = {}
        self._failure: ClientError | None = None
        self._resuming: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether messages can come at this moment."""
        return self._line is not None

    @property
    def hello(self) -> Hello:
        """What the server said of itself last."""
        assert self._hello is not None, "not connected yet: use `async with`"
        return self._hello

    async def __aenter__(self) -> Self:
        """Connect.

        Raises
        ------
        Unreachable, WrongToken, UnknownSession, Rejected
            Say what to do.
        """
        await self._open(_FIRST_PATIENCE_S)
        self._running = [
            asyncio.create_task(self._run(), name="bci client: receive"),
            asyncio.create_task(self._keep_time(), name="bci client: clock"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection; whoever waits for an answer is told."""
        line, self._line = self._line, None
        tasks = [*self._running, *([self._resuming] if self._resuming else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._give_up("the client was closed")
        if line is not None:
            await line.close()

    def subscribe(self, *topics: Topic, rate_hz: float | None = None) -> Subscription:
        """Return an iterator over what is published on `topics`, from its first ``anext`` on.

        Parameters
        ----------
        topics
            ``"commands"``, ``"predictions"``, ``"tokens"``, ``"status"``, ``"markers"``,
            ``"voice"``, ``"signal"``, ``"features"``.
        rate_hz
            At most so many messages a second, where some may be skipped.
        """
        return Subscription(Inbox(topics, rate_hz), self._begin_to_fill, self._fill_no_more)

    def age_s(self, message: DataMessage) -> float:
        """Return how long ago the newest sample that `message` rests on was taken, in seconds."""
        return time.monotonic() + self.clock.offset_s - message.ledger.sampled_s

    async def ping(self) -> float:
        """Return the round trip in seconds; also tells the offset of the clocks."""
        sent_s = time.monotonic()
        result = await self.ask(Ping(id=0, t=sent_s))
        received_s = time.monotonic()
        if result.server_s is not None:
            self.clock.add(sent_s, result.server_s, received_s)
        return received_s - sent_s

    async def ask(
        self, call: Call, arrived: Callable[[Result], Awaitable[None]] | None = None
    ) -> Result:
        """Send a call under a number of its own, and return its result.

        Parameters
        ----------
        call
            What to ask; its `id` is filled in.
        arrived
            Is told the result before any message that came after it is handed out.

        Raises
        ------
        CallRefused
            The server did not do it; says why.
        Unreachable
            The connection is down, or broke before the answer came.
        """
        line = self._line
        if line is None:
            raise Unreachable("the connection is down")
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers[number] = _Answer(answer, arrived)
        try:
            async with asyncio.timeout(_CALL_TIMEOUT_S):
                await line.send(msgspec.structs.replace(call, id=number))
                result = await answer
        except LineClosed as e:
            raise Unreachable(f"the connection broke: {e}") from e
        except TimeoutError as e:
            raise Unreachable(f"no answer within {_CALL_TIMEOUT_S:g} s") from e
        finally:
            del self._answers[number]
        if not result.ok:
            raise CallRefused(f"{result.error}; {result.fix}")
        return result

    # the line, kept up

    async def _open(self, patience_s: float) -> None:
        line = await Line.open(self.url, self._token, self._msgpack, self._tls, patience_s)
        self._line, self._hello = line, line.hello
        self._epoch = self._epoch or line.hello.epoch  # after a break: where we were before it

    async def _run(self) -> None:
        try:
            while True:
                assert self._line is not None
                await self._receive(self._line)
                await self._reopen()
        except ClientError as failure:
            self._failure = failure
            for inbox in tuple(self._inboxes):
                await inbox.items.put(failure)

    async def _receive(self, line: Line) -> None:
        """Receive until the line closes."""
        try:
            while True:
                await self._take(await line.receive())
        except LineClosed as closed:
            self._line = None
            self._give_up(str(closed))

    def _give_up(self, why: str) -> None:
        for answer in self._answers.values():
            if not answer.result.done():
                answer.result.set_exception(LineClosed(why))

    async def _reopen(self) -> None:
        """Connect again, with longer and longer pauses; a refusal ends it."""
        pause_s = _FIRST_PAUSE_S
        while True:
            # Not all at once when a server comes back: each waits its own while.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            try:
                await self._open(_NEXT_PATIENCE_S)
            except Unreachable:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                break
        self.clock.clear()
        since = ResumeFrom(epoch=self._epoch, seq=self._seqs)
        self._epoch, self._seqs = (
            self.hello.epoch,
            (dict(self._seqs) if self.hello.epoch == self._epoch else {}),
        )
        if self._resuming is not None:
            self._resuming.cancel()
        self._resuming = asyncio.create_task(self._resume(since), name="bci client: resume")

    async def _resume(self, since: ResumeFrom) -> None:
        # A line that breaks again here is seen, and mended, by `_run`.
        with suppress(Unreachable):
            for inbox in tuple(self._inboxes):
                try:
                    await self._start(inbox, since)
                except CallRefused as refused:
                    await inbox.items.put(refused)
            await self.ping()

    async def _keep_time(self) -> None:
        while True:
            with suppress(Unreachable):
                await self.ping()
            await asyncio.sleep(_PING_S)

    # what travels on it

    async def _begin_to_fill(self, inbox: Inbox) -> None:
        if self._failure is not None:
            await inbox.items.put(self._failure)
            return
        self._inboxes.append(inbox)
        try:
            with suppress(Unreachable):  # the line is down: `_run` subscribes when it is back
                await self._start(inbox, None)
        except CallRefused as refused:
            await inbox.items.put(refused)

    async def _fill_no_more(self, inbox: Inbox) -> None:
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)
        while not inbox.items.empty():  # who waits to put something there may go on
            inbox.items.get_nowait()
        wanted = {topic for other in self._inboxes for topic in other.topics}
        unwanted = tuple(topic for topic in inbox.topics if topic not in wanted)
        if unwanted:
            with suppress(Unreachable):  # without a line nothing comes anyway
                await self.ask(Unsubscribe(id=0, topics=unwanted))

    async def _start(self, inbox: Inbox, since: ResumeFrom | None) -> None:
        async def arrived(result: Result) -> None:
            for topic, seq in (result.seqs or {}).items():
                is_known = since is not None and topic in self._seqs and result.recovered
                self._seqs[topic] = max(0 if is_known else seq, self._seqs.get(topic, 0))
            if result.recovered is False:
                is_same = since is not None and since.epoch == result.epoch
                lost = Lost(inbox.topics, "gone" if is_same else "restarted")
                await inbox.items.put(lost)

        call = Subscribe(id=0, topics=inbox.topics, from_=since, rate_hz=inbox.rate_hz)
        await self.ask(call, arrived)

    async def _take(self, message: ServerMessage) -> None:
        if isinstance(message, Result):
            answer = self._answers.get(message.id)
            if answer is not None and not answer.result.done():
                if answer.arrived is not None and message.ok:
                    await answer.arrived(message)
                answer.result.set_result(message)
        elif isinstance(message, Hello):
            await self._begin(message)
        elif isinstance(message, _DATA):
            self._seqs[message.topic] = message.seq
            await self._hand_out(message)

    async def _begin(self, hello: Hello) -> None:
        self._hello, self._epoch, self._seqs = hello, hello.epoch, {}
        for inbox in tuple(self._inboxes):
            await inbox.items.put(Lost(inbox.topics, "restarted"))

    async def _hand_out(self, message: DataMessage) -> None:
        for inbox in tuple(self._inboxes):
            if message.topic not in inbox.topics:
                continue
            if isinstance(message, _LOSSY) and message.dropped:
                lost = Lost((message.topic,), "dropped", message.dropped)
                await inbox.items.put(lost)
            await inbox.items.put(message)
