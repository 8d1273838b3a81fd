"""Health, metrics, and the descriptions of the messages."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from bci_server.web.asyncapi import asyncapi, schemas
from bci_server.web.metrics import exposition
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Services
from bci_server.wire import SessionState

__all__ = ["router"]


class HealthShape(BaseModel):
    """How the server is."""

    status: Literal["ok", "degraded"] = Field(
        description="degraded: an engine is gone, silent, or has failed"
    )
    sessions: dict[SessionState, int] = Field(description="how many are in each state")


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["system"])
    view = [Depends(needs(services, "view"))]
    text: dict[int | str, dict[str, Any]] = {
        **PROBLEMS,
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    }

    @routes.get("/healthz")
    async def health() -> HealthShape:
        """Say that the server is alive, and whether every engine is. Needs no token."""
        lives = list(services.directory)
        is_degraded = any(live.phase.lost or live.phase.state == "failed" for live in lives)
        return HealthShape(
            status="degraded" if is_degraded else "ok",
            sessions=dict(Counter(live.state for live in lives)),
        )

    @routes.get("/metrics", dependencies=view, response_class=Response, responses=text)
    async def metrics() -> Response:
        """Return the figures in Prometheus' text format."""
        body, content_type = exposition(services)
        return Response(body, headers={"Content-Type": content_type})

    @routes.get("/v1/schemas")
    async def message_schemas() -> dict[str, Any]:
        """Return the JSON Schema of every message, by name. Needs no token."""
        return schemas()

    @routes.get("/v1/asyncapi.json", response_class=JSONResponse)
    async def asyncapi_document() -> JSONResponse:
        """Return the description of the WebSocket, in AsyncAPI 3. Needs no token."""
        return JSONResponse(asyncapi())

    return routes
