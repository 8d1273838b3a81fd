"""All sessions as the web process has them, kept in step with what the supervisor says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from bci_server.control import Answer, Request, Sessions
from bci_server.web.live import Live
from devices.clock import MONOTONIC, Clock

__all__ = ["Directory", "Supervisor"]


class Supervisor(Protocol):
    """Who starts and ends engines: `bci_server.link.web_end.SupervisorLink`, or a double."""

    async def call(self, request: Request, timeout_s: float = 10.0) -> Answer:
        """Ask for something and return the answer.

        Raises
        ------
        LinkLost
            It is gone or does not answer.
        """


class Directory:
    """The sessions by name. Needs a running event loop once it is told any.

    Parameters
    ----------
    clock
        Stamps what is published.
    key
        Seals commands; None: they bear no seal.

    Attributes
    ----------
    broken
        Gets the exception of a line to an engine that failed for a reason that is ours: a defect,
        after which the process should end and say so.
    """

    def __init__(self, clock: Clock = MONOTONIC, key: bytes | None = None) -> None:
        self._clock = clock
        self._key = key
        self._lives: dict[str, Live] = {}
        self._lines: dict[str, asyncio.Task[None]] = {}
        self.broken: BaseException | None = None
        self.broke = asyncio.Event()
        self.told = asyncio.Event()

    def __iter__(self) -> Iterator[Live]:
        return iter(self._lives.values())

    def __len__(self) -> int:
        return len(self._lives)

    def get(self, name: str) -> Live | None:
        """Return the session of that name; None: there is none."""
        return self._lives.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the names of all sessions."""
        return tuple(self._lives)

    def apply(self, sessions: Sessions) -> None:
        """Take in all sessions as the supervisor has them now."""
        for record in sessions.sessions:
            live = self._lives.get(record.name)
            if live is None:
                self.add(Live(record, self._clock, self._key))
            else:
                live.recorded(record)
        for name in self._lives.keys() - {record.name for record in sessions.sessions}:
            del self._lives[name]
            self._lines.pop(name).cancel()
        self.told.set()

    def add(self, live: Live) -> None:
        """Take in a session, and keep up the line to its engine."""
        self._lives[live.name] = live
        line = asyncio.get_running_loop().create_task(live.engine.run(), name=f"line {live.name}")
        line.add_done_callback(self._line_ended)
        self._lines[live.name] = line

    async def aclose(self) -> None:
        """Close all lines."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    def _line_ended(self, line: asyncio.Task[None]) -> None:
        if not line.cancelled() and line.exception() is not None:
            self.broken = line.exception()
            self.broke.set()
