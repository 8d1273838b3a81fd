"""The lease to move the effector, kept up in the background while a block runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Protocol, Self

from bci_server.calls import Arm, Disarm, Limit, Renew
from bci_server.client.errors import ClientError, LeaseLost
from bci_server.wire import Result

__all__ = ["Lease"]

_DEFAULT_LEASE_MS = 1000.0


class _Calls(Protocol):
    async def ask(self, call: Arm | Renew | Disarm) -> Result:
        """Send a call and return its result.

        Raises
        ------
        ClientError
            It was not carried out.
        """


class Lease:
    """``async with client.armed():`` holds the lease until the block ends.

    When it is lost before (the connection drops, somebody stops the session), the block is
    cancelled where it stands and `LeaseLost` is raised.

    Parameters
    ----------
    calls
        The connection.
    limits
        How far and how fast each command may go: a number is its largest absolute value, in its
        unit. None: the session's own.
    """

    def __init__(self, calls: _Calls, limits: dict[str, float | Limit] | None = None) -> None:
        self._calls = calls
        self._limits = limits
        self._renewing: asyncio.Task[None] | None = None
        self._reason: ClientError | None = None
        self._n_cancels = 0

    async def __aenter__(self) -> Self:
        """Take the lease."""
        result = await self._calls.ask(Arm(id=0, limits=self._limits))
        block = asyncio.current_task()
        assert block is not None
        self._n_cancels = block.cancelling()
        lease_s = (result.lease_ms or _DEFAULT_LEASE_MS) / 1e3
        self._renewing = asyncio.create_task(self._renew(lease_s / 3, block))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lease back."""
        assert self._renewing is not None
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        if self._reason is None:
            await self._disarm()
            return
        block = asyncio.current_task()
        assert block is not None
        if block.uncancel() <= self._n_cancels and kind in (None, asyncio.CancelledError):
            raise LeaseLost(f"the lease was lost: {self._reason}") from self._reason

    async def _renew(self, period_s: float, block: asyncio.Task[object]) -> None:
        try:
            while True:
                await asyncio.sleep(period_s)
                await self._calls.ask(Renew(id=0))
        except ClientError as error:
            self._reason = error
            block.cancel()

    async def _disarm(self) -> None:
        try:
            await self._calls.ask(Disarm(id=0))
        except ClientError:
            # The block is over; without a connection the lease lapses by itself, and the server
            # gives it back when the connection closes.
            return
