"""Who may do what: tokens with scopes, single-use tickets, and which hosts and origins may ask.

Three scopes: ``view`` (see outputs, stop), ``control`` (arm, mark, clear, start and stop
sessions), ``raw`` (see signal and features). Tokens are compared in constant time and only their
digests are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from devices.clock import MONOTONIC, Clock

__all__ = [
    "ALL_SCOPES",
    "BadTokenFile",
    "Doors",
    "Grant",
    "Scope",
    "Tickets",
    "Tokens",
    "stored_token",
]

Scope = Literal["view", "control", "raw"]
ALL_SCOPES: frozenset[Scope] = frozenset(get_args(Scope))

_MIN_TOKEN_CHARACTERS = 16
_MAX_TICKETS = 1024


class BadTokenFile(Exception):
    """The token file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a token may do.

    Parameters
    ----------
    name
        Which token it is; safe to log.
    scopes
        What it allows.
    """

    name: str
    scopes: frozenset[Scope]


class Tokens:
    """The tokens that this server knows.

    Parameters
    ----------
    grants
        Each token with what it allows.
    """

    def __init__(self, grants: dict[str, Grant]) -> None:
        self._grants = [(_digest(token), grant) for token, grant in grants.items()]

    def grant(self, token: str) -> Grant | None:
        """Return what `token` allows; None: it is not one of ours. Takes the same time always."""
        digest = _digest(token)
        found = None
        for known, grant in self._grants:
            if hmac.compare_digest(known, digest):
                found = grant
        return found


class Tickets:
    """Short-lived tickets for one connection each: what a browser can put into an address.

    Parameters
    ----------
    clock
        Tells when one has expired.
    life_s
        How long one is good for.
    """

    def __init__(self, clock: Clock = MONOTONIC, life_s: float = 30.0) -> None:
        self._clock = clock
        self.life_s = life_s
        self._open: dict[bytes, tuple[float, Grant]] = {}

    def issue(self, grant: Grant) -> str:
        """Return a new ticket that allows what `grant` does."""
        now_s = self._clock.now()
        self._open = {k: v for k, v in self._open.items() if v[0] > now_s}
        while len(self._open) >= _MAX_TICKETS:
            del self._open[next(iter(self._open))]
        ticket = secrets.token_urlsafe(24)
        self._open[_digest(ticket)] = now_s + self.life_s, grant
        return ticket

    def redeem(self, ticket: str) -> Grant | None:
        """Return what the ticket allows, and void it; None: unknown, used or expired."""
        until_s, grant = self._open.pop(_digest(ticket), (0.0, None))
        return grant if until_s > self._clock.now() else None


@dataclass(frozen=True, slots=True)
class Doors:
    """Which Host and Origin a request may come with, on loopback too.

    A page from elsewhere can make a browser ask this machine (DNS rebinding); it then comes with
    a name that is not ours. An address as Host cannot be rebound, so any is good.

    Parameters
    ----------
    hosts
        Further names that this server goes by.
    origins
        Further origins whose pages may connect, such as ``http://localhost:8000``.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def knows_host(self, host: str | None) -> bool:
        """Say whether a ``Host`` header names this server."""
        name = _hostname(host)
        return name is not None and (name == "localhost" or name in self.hosts or _is_address(name))

    def lets_in(self, origin: str | None, host: str | None) -> bool:
        """Say whether a page of `origin` may ask; None is a client that is no browser."""
        if origin is None or origin in self.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(host) and parts.netloc == host


def stored_token(path: Path) -> tuple[str, bool]:
    """Return the token in the file, and whether it was made just now.

    The file is made readable by its owner only.

    Raises
    ------
    BadTokenFile
        Others can read it, or what is in it is no token.
    """
    try:
        return _read_token(path), False
    except FileNotFoundError:
        pass
    # Its first letter is none: on a command line a dash would begin an option.
    token = f"b{secrets.token_urlsafe(32)}"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
    except FileExistsError:  # another server was faster
        return _read_token(path), False
    return token, True


def _read_token(path: Path) -> str:
    with path.open() as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise BadTokenFile(
                f"{path} can be read by others (mode {mode:o}); run: chmod 600 {path}"
            )
        token = file.read(4096).strip()
    if len(token) < _MIN_TOKEN_CHARACTERS:
        raise BadTokenFile(
            f"{path} holds {len(token)} characters; a token has at least "
            f"{_MIN_TOKEN_CHARACTERS}. Delete the file, and the next start makes a new one"
        )
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _hostname(host: str | None) -> str | None:
    if not host:
        return None
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name.rstrip(".") if name else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
