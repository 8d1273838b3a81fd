"""What there is to work with: devices and models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from bci_server.web.discovery import DiscoveryFailed
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import DevicesShape, Problem, Refused, Services
from decoders.artifact import Artifact, ArtifactError

__all__ = ["router"]


class ModelShape(BaseModel):
    """A fitted model on disk, or why it cannot be used."""

    path: str
    kind: Annotated[str | None, Field(description="its decoder")] = None
    hash: Annotated[str | None, Field(description="names this very model")] = None
    rate_hz: Annotated[float | None, Field(description="of the signal it was fitted on")] = None
    channels: list[str] = []
    labels: list[str] = []
    metrics: dict[str, Any] = {}
    error: str | None = None


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1", tags=["inventory"], responses=PROBLEMS)
    view = [Depends(needs(services, "view"))]

    @routes.get(
        "/devices",
        dependencies=view,
        responses={503: {"model": Problem, "description": "discovery failed"}},
    )
    async def list_devices() -> DevicesShape:
        """List what is on the network and what could be streamed; takes a second or two."""
        try:
            return await services.discover()
        except DiscoveryFailed as failed:
            raise Refused(503, "discovery_failed", str(failed), "run `bci doctor`") from failed

    @routes.get("/models", dependencies=view)
    async def list_models() -> list[ModelShape]:
        """List the models in the model folders, the unusable ones with the reason."""
        return await run_in_threadpool(_models, services.models)

    return routes


def _models(folders: tuple[Path, ...]) -> list[ModelShape]:
    manifests = {m.resolve() for folder in folders for m in folder.glob("**/manifest.json")}
    return [_model(manifest.parent) for manifest in sorted(manifests)]


def _model(folder: Path) -> ModelShape:
    try:
        artifact = Artifact.load(folder)
    except ArtifactError as error:
        return ModelShape(path=str(folder), error=str(error))
    return ModelShape(
        path=str(folder),
        kind=artifact.kind,
        hash=artifact.hash,
        rate_hz=artifact.signal.rate_hz,
        channels=list(artifact.signal.channels),
        labels=list(artifact.labels),
        metrics=dict(artifact.metrics),
    )
