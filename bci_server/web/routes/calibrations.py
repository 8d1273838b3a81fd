"""Guided calibration: start it, see how it goes, take what it gave or leave it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bci_server.guided import Guided, GuidedState, Plan, Unguided
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Problem, Refused, Services

__all__ = ["router"]


class PlanShape(BaseModel):
    """What the participant is asked to do."""

    trials_per_class: Annotated[int, Field(ge=2, le=1000)] = 15
    pause_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    jitter_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    seed: int | None = None


class ProgressShape(BaseModel):
    """How far it is."""

    state: GuidedState
    trial: int = Field(description="trials cued so far")
    n_trials: int
    recording: str = Field(description="the file of what was collected")
    quality: dict[str, float] = Field(description="gaps, lost samples, share of bad trials")
    summary: dict[str, Any] = Field(description="the candidate, with its metrics")
    problem: str
    fix: str


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/sessions", tags=["calibration"], responses=PROBLEMS)
    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
    acting: dict[int | str, dict[str, Any]] = {
        **unknown,
        409: {"model": Problem, "description": "not now, or not with this session; says why"},
    }
    view = [Depends(needs(services, "view"))]
    control = [Depends(needs(services, "control"))]

    @routes.get("/{session}/calibration", dependencies=view, responses=unknown)
    async def get_calibration(session: str) -> ProgressShape:
        """Say how the newest calibration of the session goes."""
        return _shape(_guided(services, session))

    @routes.post("/{session}/calibration/start", dependencies=control, responses=acting)
    async def start_calibration(session: str, plan: PlanShape | None = None) -> ProgressShape:
        """Begin to cue and collect."""
        live = services.live(session)
        running = services.calibrations.get(session)
        if running is not None and not running.is_over:
            raise Refused(409, "busy", "a calibration is running", "wait for it, or cancel it")
        asked = Plan(**(plan or PlanShape()).model_dump())
        try:
            guided = await Guided.of(live, services.supervisor.call, asked)
        except Unguided as e:
            raise Refused(409, "not_guided", e.cause, e.fix) from e
        services.calibrations[session] = guided
        guided.start()
        return _shape(guided)

    @routes.post("/{session}/calibration/{action}", dependencies=control, responses=acting)
    async def act_on_calibration(
        session: str, action: Literal["cancel", "accept", "reject"]
    ) -> ProgressShape:
        """End it; or take the candidate that it fitted (the session restarts, disarmed), or not."""
        guided = _guided(services, session)
        try:
            if action == "cancel":
                await guided.cancel()
            elif action == "accept":
                await guided.accept()
            else:
                await guided.reject()
        except Unguided as e:
            raise Refused(409, "not_done", e.cause, e.fix) from e
        return _shape(guided)

    return routes


def _guided(services: Services, session: str) -> Guided:
    services.live(session)
    guided = services.calibrations.get(session)
    if guided is None:
        raise Refused(
            404,
            "no_calibration",
            f"session {session} was not calibrated since the server started",
            f"POST /v1/sessions/{session}/calibration/start",
        )
    return guided


def _shape(guided: Guided) -> ProgressShape:
    return ProgressShape(**msgspec.to_builtins(guided.progress))
