"""What the routes work with. One object a server; there is no other shared state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from bci_server.guided import Guided
from bci_server.web.auth import Doors, Tickets, Tokens
from bci_server.web.directory import Directory, Supervisor
from bci_server.web.live import Live

__all__ = ["Crowd", "DevicesShape", "Problem", "Refused", "Services"]


class Problem(BaseModel):
    """What went wrong, and how to mend it."""

    code: str = Field(description="for programs; does not change")
    cause: str = Field(description="what was wrong, with both values")
    fix: str = Field(description="what to do")


class StreamShape(BaseModel):
    """An LSL stream as it announces itself."""

    name: str
    type: str
    source_id: str
    n_channels: int
    rate_hz: float = Field(description="0 for markers and other irregular streams")
    format: str
    host: str
    uid: str = Field(description="of this one outlet")
    session: str = Field(description="LSL session")


class KindShape(BaseModel):
    """A kind of device that could be streamed."""

    kind: str = Field(description="what a session file calls it")
    summary: str
    problem: Annotated[str, Field(description="why it cannot be used here, if so")] = ""


class DevicesShape(BaseModel):
    """What is on the network, and what could be streamed."""

    streams: list[StreamShape]
    kinds: list[KindShape]


class Refused(Exception):
    """A request that is not carried out; becomes a `Problem`."""

    def __init__(self, status: int, code: str, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.status = status
        self.problem = Problem(code=code, cause=cause, fix=fix)


@dataclass(slots=True)
class Crowd:
    """How many are connected, and how many may be."""

    limit: int = 2000
    n: int = 0
    n_refused: int = 0
    n_too_slow: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody else may come."""
        return self.n >= self.limit


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with.

    Parameters
    ----------
    directory
        The sessions.
    tokens
        Who may do what.
    supervisor
        Starts and ends engines.
    discover
        Says what devices there are, without blocking the loop.
    models
        Directories in which models are kept.
    recordings
        Folder in which recordings are kept.
    auth_timeout_s
        How long a client that sent no token may wait with its first message.
    calibrations
        The newest guided calibration of each session.
    """

    directory: Directory
    tokens: Tokens
    supervisor: Supervisor
    discover: Callable[[], Awaitable[DevicesShape]]
    models: tuple[Path, ...] = ()
    recordings: Path = Path("recordings")
    doors: Doors = field(default_factory=Doors)
    tickets: Tickets = field(default_factory=Tickets)
    crowd: Crowd = field(default_factory=Crowd)
    auth_timeout_s: float = 5.0
    calibrations: dict[str, Guided] = field(default_factory=dict)

    def live(self, name: str) -> Live:
        """Return a session.

        Raises
        ------
        Refused
            There is none of that name; says which there are.
        """
        live = self.directory.get(name)
        if live is None:
            there_are = ", ".join(self.directory.names()) or "none"
            raise Refused(
                404,
                "unknown_session",
                f"there is no session {name!r}",
                f"sessions are: {there_are}; see GET /v1/sessions",
            )
        return live
