"""The recording of a running session: how it is doing, start, stop."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bci_server.control import StartRecording, StopRecording
from bci_server.link.web_end import LinkLost
from bci_server.web.live import Live
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Problem, Refused, Services

__all__ = ["router"]

_DISK_S = 30.0
"""A slow disk gets some time to make or to end a file."""
_ALARM = "recording_"


class RecordingShape(BaseModel):
    """What is recorded, as the newest `status` message says; a second old at most."""

    file: str | None = Field(description="name of the file; null while nothing is recorded")
    n_samples: int = Field(description="samples that are written")
    n_lost: int = Field(description="samples that could not be")
    alarms: list[str] = Field(description="what is wrong: the disk is nearly full, slow …")


class DoneShape(BaseModel):
    """What was started or ended."""

    file: str | None = Field(description="the file; null if there was nothing to end")


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/sessions", tags=["recordings"], responses=PROBLEMS)
    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
    acting: dict[int | str, dict[str, Any]] = {
        **unknown,
        409: {"model": Problem, "description": "nothing can be recorded; says why"},
        503: {"model": Problem, "description": "the session does not run"},
    }

    @routes.get(
        "/{session}/recording", dependencies=[Depends(needs(services, "view"))], responses=unknown
    )
    async def get_recording(session: str) -> RecordingShape:
        """Say what is recorded, and how that goes."""
        return _shape(services.live(session))

    @routes.post(
        "/{session}/recording/{action}",
        dependencies=[Depends(needs(services, "control"))],
        responses=acting,
    )
    async def act_on_recording(session: str, action: Literal["start", "stop"]) -> DoneShape:
        """Start a new file, or end the one that is written; starting twice changes nothing."""
        live = services.live(session)
        control = StartRecording() if action == "start" else StopRecording()
        try:
            answer = await live.engine.call(control, timeout_s=_DISK_S)
        except LinkLost as lost:
            fix = f"the session is {live.state}; start it with POST /v1/sessions/{session}/start"
            raise Refused(503, "not_running", f"session {session}: {lost}", fix) from lost
        if not answer.ok:
            raise Refused(
                409,
                "not_recorded",
                answer.error or f"the recording did not {action}",
                answer.fix or "see the log of `bci serve`",
            )
        return DoneShape(file=answer.file)

    return routes


def _shape(live: Live) -> RecordingShape:
    status = live.status
    if status is None or status.recording is None:
        file, n_samples, n_lost = None, 0, 0
    else:
        recording = status.recording
        file, n_samples, n_lost = recording.file, recording.n_samples, recording.n_lost
    alarms = () if status is None else status.alarms
    return RecordingShape(
        file=file,
        n_samples=n_samples,
        n_lost=n_lost,
        alarms=[a for a in alarms if a.startswith(_ALARM)],
    )
