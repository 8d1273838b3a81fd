"""What can go wrong for a client.

::

    ClientError
    ├── Unreachable      no server answers there
    ├── Rejected         it answers, but not to us; says why
    │   ├── WrongToken
    │   └── UnknownSession
    ├── CallRefused      one call was not carried out
    └── LeaseLost        the effector is not ours any more
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CallRefused",
    "ClientError",
    "LeaseLost",
    "Lost",
    "Rejected",
    "UnknownSession",
    "Unreachable",
    "WrongToken",
]


class ClientError(Exception):
    """Anything that goes wrong between a client and the server."""


class Unreachable(ClientError):
    """No server answers at this address."""


class Rejected(ClientError):
    """The server does not serve this client, and says why."""


class WrongToken(Rejected):
    """The server does not know the token."""


class UnknownSession(Rejected):
    """The server has no such session; says which it has."""


class CallRefused(ClientError):
    """The server did not do what was asked."""


class LeaseLost(ClientError):
    """The lease to move the effector has lapsed; it is neutral."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that this client will not get any more.

    Parameters
    ----------
    topics
        Of these topics.
    reason
        ``"restarted"``: the session began a new epoch. ``"gone"``: the connection was down for
        longer than the server's history reaches. ``"dropped"``: the client was too slow for a
        display.
    n
        How many, where that is known.
    """

    topics: tuple[str, ...]
    reason: Literal["restarted", "gone", "dropped"]
    n: int | None = None
