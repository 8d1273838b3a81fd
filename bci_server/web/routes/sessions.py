"""Sessions: what there is, how it is doing, start, stop, restart."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bci_server.control import RestartSession, StartSession, StopSession
from bci_server.link.web_end import LinkLost
from bci_server.web.live import Live
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Problem, Refused, Services
from bci_server.wire import SessionState

__all__ = ["router"]

_STOP_S = 15.0
"""An engine gets some seconds to end in good order before it is killed."""


class SessionShape(BaseModel):
    """One session."""

    name: str
    file: str = Field(description="the session file")
    state: SessionState
    reason: str = Field(description="why, where the state has a reason")
    epoch: str = Field(description="names this run of sequence numbers")
    process: Literal["stopped", "running", "exited"]
    run: int = Field(description="how many engines were started for it")
    clients: int
    stream: str = Field(description="path of its WebSocket")
    status: dict[str, Any] | None = Field(description="the newest `status` message")


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=PROBLEMS)
    view = [Depends(needs(services, "view"))]
    control = [Depends(needs(services, "control"))]
    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
    acting: dict[int | str, dict[str, Any]] = {
        **unknown,
        409: {"model": Problem, "description": "the supervisor refused, and says why"},
        503: {"model": Problem, "description": "the supervisor does not answer"},
    }
    request_types: dict[str, type[StartSession | StopSession | RestartSession]] = {
        "start": StartSession,
        "stop": StopSession,
        "restart": RestartSession,
    }

    @routes.get("", dependencies=view)
    async def list_sessions() -> list[SessionShape]:
        """List all sessions."""
        return [_shape(live) for live in services.directory]

    @routes.get("/{session}", dependencies=view, responses=unknown)
    async def get_session(session: str) -> SessionShape:
        """Say how one session is doing."""
        return _shape(services.live(session))

    @routes.post("/{session}/{action}", dependencies=control, responses=acting)
    async def act_on_session(
        session: str, action: Literal["start", "stop", "restart"]
    ) -> SessionShape:
        """Start, stop or restart the session's engine; it comes up disarmed."""
        live = services.live(session)
        try:
            answer = await services.supervisor.call(
                request_types[action](session=session), timeout_s=_STOP_S
            )
        except LinkLost as lost:
            raise Refused(503, "no_supervisor", str(lost), "see the log of `bci serve`") from lost
        if not answer.ok:
            raise Refused(
                409,
                "not_done",
                answer.error or f"the supervisor did not {action} the session",
                answer.fix or "see the log of `bci serve`",
            )
        return _shape(live)

    return routes


def _shape(live: Live) -> SessionShape:
    status = None if live.status is None else msgspec.to_builtins(live.status)
    return SessionShape(
        name=live.name,
        file=live.record.file,
        state=live.state,
        reason=live.phase.reason,
        epoch=live.hub.epoch,
        process=live.record.process,
        run=live.record.run,
        clients=len(live.clients),
        stream=f"/v1/sessions/{live.name}/stream",
        status=status,
    )
