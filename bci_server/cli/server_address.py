"""Where a server and its session are, and the token for it, from what a user gave."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from bci_server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from bci_server.web.settings import Settings

__all__ = ["Target", "find_session", "get_json", "local_url", "read_settings", "tls_context"]

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """The session that is meant: its server (or its very stream), its name, a token."""

    url: str
    session: str | None
    token: str


def find_session(
    where: str, session: str, token_file: Path | None, tls: ssl.SSLContext | None
) -> Target:
    """Return which session is meant, and a token for it.

    Parameters
    ----------
    where
        An address, the name of a session on this machine's server, or nothing.
    session
        Name of the session, where `where` does not name it.
    token_file
        File with the token; default: ``BCI_TOKEN``, else the file that the server keeps.
    tls
        Whom to trust.

    Raises
    ------
    CommandError
        There is no token, no server, or not one session that is clearly meant.
    """
    settings = read_settings()
    token = _token(settings, token_file)
    is_address = "://" in where
    url = where if is_address else local_url(settings)
    if urlsplit(url).path.rstrip("/").endswith("/stream"):
        return Target(url, None, token)
    name = session or ("" if is_address else where)
    return Target(url, name or _only_session(url, token, tls), token)


def read_settings(**given: Any) -> Settings:
    """Return the server's settings: what is `given`, else the environment's.

    Raises
    ------
    CommandError
        One of them cannot be; says which.
    """
    from pydantic import ValidationError

    from bci_server.web.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"  {_setting(e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
        raise CommandError("settings that cannot be:\n" + "\n".join(lines)) from error


def _setting(where: Sequence[int | str]) -> str:
    name, *rest = where
    return ".".join([f"BCI_{name}".upper(), *map(str, rest)])


def local_url(settings: Settings) -> str:
    """Return the address of the server that `settings` describe, as seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.uses_tls else 'http'}://{host}:{settings.port}"


def tls_context(trust: Path | None) -> ssl.SSLContext | None:
    """Return whom to trust: the system's authorities (None), or one certificate."""
    if trust is None:
        return None
    try:
        return ssl.create_default_context(cafile=trust)
    except ssl.SSLError as error:
        raise CommandError(f"{trust} holds no certificate that can be read: {error}") from error


def get_json(
    url: str,
    token: str = "",
    tls: ssl.SSLContext | None = None,
    timeout_s: float = _TIMEOUT_S,
    body: Any = None,
) -> Any:
    """Return what a server answers, past any proxy. With a `body`, that is posted as JSON.

    Raises
    ------
    CommandError
        It does not answer, not with JSON, or with an error (then what it says).
    """
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    request = urllib.request.Request(url)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return json.load(response)
    except urllib.error.HTTPError as refusal:
        raise CommandError(_refusal(url, refusal), Exit.FAILED) from refusal
    except OSError as error:
        raise CommandError(f"no server answers at {url}: {error}", Exit.NOT_FOUND) from error
    except ValueError as error:
        raise CommandError(
            f"{url} is no bci-server: its answer is not JSON ({error})", Exit.NOT_FOUND
        ) from error


def _refusal(url: str, refusal: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(refusal)
        return f"{url}: {problem['cause']}; {problem['fix']}"
    except (ValueError, KeyError, TypeError):  # some other server's page
        return f"{url}: {refusal.code} {refusal.reason}"


def _only_session(url: str, token: str, tls: ssl.SSLContext | None) -> str:
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    at = urlunsplit((scheme, parts.netloc, "/v1/sessions", "", ""))
    names = [str(s["name"]) for s in get_json(at, token, tls)]
    if len(names) != 1:
        raise CommandError(
            f"the server has {len(names)} sessions ({', '.join(names) or 'none'}); name one",
            Exit.BAD_INPUT if names else Exit.NOT_FOUND,
        )
    return names[0]


def _token(settings: Settings, file: Path | None) -> str:
    if file is None and (token := os.environ.get("BCI_TOKEN")):
        return token
    path = file or settings.token_file
    try:
        return path.read_text().strip()
    except FileNotFoundError as error:
        raise CommandError(
            f"there is no token in {path}: give one with --token-file or BCI_TOKEN, or start "
            "`bci serve` here once, which makes one",
            Exit.NOT_FOUND,
        ) from error
