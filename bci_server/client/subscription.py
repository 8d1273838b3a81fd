"""What one ``subscribe`` brings: an iterator that outlives a wait that was given up."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

from bci_server.client.errors import ClientError, Lost
from bci_server.wire import DataMessage, Topic

__all__ = ["Inbox", "Subscription"]

_WAITING = 1024


class Inbox:
    """Where the messages of one subscription wait to be fetched."""

    def __init__(self, topics: tuple[Topic, ...], rate_hz: float | None) -> None:
        self.topics = topics
        self.rate_hz = rate_hz
        self.items: asyncio.Queue[DataMessage | Lost | ClientError] = asyncio.Queue(_WAITING)


class Subscription(AsyncIterator[DataMessage | Lost]):
    """What is published on some topics, from the first ``anext`` on. See `Client.subscribe`.

    A wait may be cancelled, as ``asyncio.wait_for(anext(messages), 1.0)`` does when nothing comes:
    no message is lost by it, and the next ``anext`` goes on. It ends with `aclose`, or when nobody
    holds it any more.

    Parameters
    ----------
    inbox
        Where its messages come in.
    begin
        Asks the server for them; whatever is wrong is put into the inbox.
    end
        Asks for no more of them.
    """

    def __init__(
        self,
        inbox: Inbox,
        begin: Callable[[Inbox], Awaitable[None]],
        end: Callable[[Inbox], Awaitable[None]],
    ) -> None:
        self._inbox = inbox
        self._begin = begin
        self._end = end
        self._beginning: asyncio.Future[None] | None = None
        self._forgotten: weakref.finalize[..., Subscription] | None = None
        self._failure: ClientError | None = None
        self._is_closed = False

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> DataMessage | Lost:
        """Wait for the next message.

        Raises
        ------
        CallRefused
            The token does not allow it.
        Rejected
            The server does not take this client back after a break.
        """
        if self._is_closed:
            raise StopAsyncIteration
        if self._failure is not None:
            raise self._failure
        if self._beginning is None:
            loop = asyncio.get_running_loop()
            self._forgotten = weakref.finalize(self, _end_soon, loop, self._end, self._inbox)
            self._forgotten.atexit = False
            self._beginning = asyncio.ensure_future(self._begin(self._inbox))
        item = await self._inbox.items.get()
        if isinstance(item, ClientError):
            self._failure = item
            raise item
        return item

    async def aclose(self) -> None:
        """Ask for no more messages; those that wait are forgotten."""
        self._is_closed = True
        if self._forgotten is not None and self._forgotten.detach() is not None:
            await self._end(self._inbox)


def _end_soon(
    loop: asyncio.AbstractEventLoop, end: Callable[[Inbox], Awaitable[None]], inbox: Inbox
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(end(inbox)))
