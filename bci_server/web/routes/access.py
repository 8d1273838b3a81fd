"""Authentication of REST calls, and tickets for browsers."""

# No postponed annotations: FastAPI must see dependencies that are made in `router`.

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from bci_server.web.auth import Grant, Scope
from bci_server.web.services import Problem, Refused, Services

__all__ = ["PROBLEMS", "needs", "router", "ticket_or_bearer"]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no token, or a wrong one"},
    403: {"model": Problem, "description": "the token does not have the scope"},
    422: {"model": Problem, "description": "a parameter is wrong"},
}
"""What every call that needs a token may answer."""

_bearer = HTTPBearer(auto_error=False, description="the token that `bci serve` prints")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class TicketShape(BaseModel):
    """Good for one connection: ``…/stream?ticket=…`` or ``…/events?ticket=…``."""

    ticket: str
    expires_in_s: float = Field(description="seconds")


def needs(services: Services, scope: Scope) -> Callable[..., Awaitable[Grant]]:
    """Return the dependency that lets in who has `scope`."""

    async def allowed(credentials: _Credentials) -> Grant:
        return _checked(services, credentials, None, scope)

    return allowed


def ticket_or_bearer(services: Services) -> Callable[..., Awaitable[Grant]]:
    """Return the dependency for what a browser opens by itself, with a ticket in the address."""

    async def allowed(
        credentials: _Credentials,
        ticket: Annotated[str | None, Query(description="from POST /v1/tickets")] = None,
    ) -> Grant:
        return _checked(services, credentials, ticket, "view")

    return allowed


def router(services: Services) -> APIRouter:
    """Return the route that hands out tickets."""
    routes = APIRouter(prefix="/v1", tags=["access"], responses=PROBLEMS)

    @routes.post("/tickets", status_code=201)
    async def issue_ticket(
        grant: Annotated[Grant, Depends(needs(services, "view"))],
    ) -> TicketShape:
        """Make a ticket: what a browser, which cannot send headers, puts into the address."""
        ticket = services.tickets.issue(grant)
        return TicketShape(ticket=ticket, expires_in_s=services.tickets.life_s)

    return routes


def _checked(
    services: Services,
    credentials: HTTPAuthorizationCredentials | None,
    ticket: str | None,
    scope: Scope,
) -> Grant:
    if credentials is not None:
        grant = services.tokens.grant(credentials.credentials)
        cause = "the token is wrong"
    elif ticket is not None:
        grant = services.tickets.redeem(ticket)
        cause = "the ticket is unknown, used or expired"
    else:
        grant, cause = None, "there is no token"
    if grant is None:
        raise Refused(
            401,
            "unauthorized",
            cause,
            "send the header `Authorization: Bearer TOKEN`; `bci serve` says where the token is",
        )
    if scope not in grant.scopes:
        raise Refused(
            403,
            "forbidden",
            f"this needs the scope `{scope}`; the token has {', '.join(sorted(grant.scopes))}",
            "use a token that has it; BCI_TOKENS says what each token may do",
        )
    return grant
