"""The web application: made by a factory, from the services that it is given."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from bci_server.web.guard import Guard
from bci_server.web.live import server_name
from bci_server.web.routes import (
    access,
    calibrations,
    events,
    inventory,
    library,
    recordings,
    replays,
    sessions,
    stream,
    system,
)
from bci_server.web.services import Problem, Refused, Services

__all__ = ["create_app"]


def create_app(services: Services) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    services
        The sessions, who may do what, who starts engines.
    """
    app = FastAPI(
        title="bci-server",
        version=server_name().partition("/")[2],
        description="Decoded commands, predictions and speech tokens. The WebSocket is described "
        "in /v1/asyncapi.json.",
        exception_handlers={
            Refused: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http,
        },
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    for routes in (
        access,
        replays,  # before `sessions`, whose path for actions would match it too
        sessions,
        recordings,
        calibrations,
        library,
        inventory,
        events,
        stream,
        system,
    ):
        app.include_router(routes.router(services))
    if services.doors.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(services.doors.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Guard, doors=services.doors)  # added last: it stands outermost
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return _problem(error.status, error.problem, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    causes = "; ".join(_said(one) for one in error.errors())
    return _problem(
        422, Problem(code="invalid", cause=causes, fix="see /v1/openapi.json for what is expected")
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = Problem(
        code=str(error.detail).lower().replace(" ", "_"),
        cause=f"{request.method} {request.url.path}: {error.detail}",
        fix="see /v1/openapi.json for what there is",
    )
    return _problem(error.status_code, problem, error.headers)


def _said(error: Any) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


def _problem(status: int, problem: Problem, headers: Any = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(), status, headers)
