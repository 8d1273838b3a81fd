"""A session that replays a recording: pause, speed, seek."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from bci_server.config import BadSession, load_session
from bci_server.control import Answer, SeekReplay, SteerReplay
from bci_server.link.web_end import LinkLost
from bci_server.steering import from_start
from bci_server.web.live import Live
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Problem, Refused, Services
from devices.device import DeviceError

__all__ = ["router"]

_ANSWER_S = 2.0
_RESTART_S = 15.0


class SteeringShape(BaseModel):
    """What to change; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    paused: bool | None = Field(None, description="stand still, or go on after a gap")
    speed: float | None = Field(
        None, gt=0, le=1000, allow_inf_nan=False, description="how many times faster than real"
    )
    seek_s: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="go to so many seconds after the beginning: the engine is started anew",
    )


class SteeredShape(BaseModel):
    """That it was done."""

    epoch: str = Field(description="names this run of sequence numbers; a seek begins a new one")


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=PROBLEMS)
    acting: dict[int | str, dict[str, Any]] = {
        404: {"model": Problem},
        409: {"model": Problem, "description": "it is no replay, or has no such place"},
        503: {"model": Problem, "description": "the session does not run"},
    }

    @routes.post(
        "/{session}/replay", dependencies=[Depends(needs(services, "control"))], responses=acting
    )
    async def steer_replay(session: str, wanted: SteeringShape) -> SteeredShape:
        """Pause a replay, let it go on, change its speed, or go to another place in it.

        What is paused or moved is a gap for the decoder. A seek starts the engine anew, disarmed.
        """
        live = services.live(session)
        if wanted.seek_s is not None:
            _check(await to_thread.run_sync(_can_seek, live, wanted.seek_s))
            request = SeekReplay(session=session, start_s=wanted.seek_s)
            try:
                _check(await services.supervisor.call(request, timeout_s=_RESTART_S))
            except LinkLost as lost:
                fix = "see the log of `bci serve`"
                raise Refused(503, "no_supervisor", str(lost), fix) from lost
        if wanted.paused is not None or wanted.speed is not None:
            control = SteerReplay(paused=wanted.paused, speed=wanted.speed)
            try:
                _check(await live.engine.call(control, timeout_s=_ANSWER_S))
            except LinkLost as lost:
                fix = f"the session is {live.state}; POST /v1/sessions/{session}/start starts it"
                raise Refused(503, "not_running", f"session {session}: {lost}", fix) from lost
        return SteeredShape(epoch=live.hub.epoch)

    return routes


def _can_seek(live: Live, seek_s: float) -> Answer:
    """Look into the recording, so that a place it does not have is refused, not failed at."""
    from devices.adapters.replay import Replay

    try:
        device = from_start(load_session(Path(live.record.file)), seek_s).device
        assert isinstance(device, Replay)
        device.open().close()
    except (BadSession, DeviceError) as e:
        return Answer(call=0, ok=False, error=str(e), fix="ask for a place that it has")
    return Answer(call=0, ok=True)


def _check(answer: Answer) -> None:
    if not answer.ok:
        cause = answer.error or "the replay was not steered"
        raise Refused(409, "not_steered", cause, answer.fix or "see the log of `bci serve`")
