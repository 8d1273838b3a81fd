"""What the web process is told from outside: environment (``BCI_…``) or command line."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from bci_server.web.auth import ALL_SCOPES, Doors, Grant, Scope, Tokens, stored_token

__all__ = ["BadSetting", "Settings", "TokenSetting", "UnsafeBind", "state_directory"]


class UnsafeBind(Exception):
    """The server would listen to the network unprotected; the message says what to do."""


class TokenSetting(BaseModel):
    """One more token, and what it allows."""

    name: str
    token: SecretStr = Field(min_length=16)
    scopes: frozenset[Scope] = frozenset({"view"})


def state_directory() -> Path:
    """Return where this user's bci-server keeps what must outlive it."""
    return Path.home() / ".local" / "state" / "bci-server"


class BadSetting(Exception):
    """A setting is wrong; the message says which, what it is, and what it may be."""


class Settings(BaseSettings):
    """How the web process listens, and to whom.

    Parameters
    ----------
    host, port
        Where it listens; port 0 is any free one.
    token_file
        Where the token with all scopes is kept; made at the first start.
    tokens
        Further tokens, as JSON: ``[{"name": "viewer", "token": "…", "scopes": ["view"]}]``.
    tls_certificate, tls_key
        PEM files. Both or neither.
    allowed_hosts
        Further names this server goes by; addresses and ``localhost`` always do.
    allowed_origins
        Origins of pages that may connect from a browser.
    models
        Folders in which models are kept; what GET /v1/models lists.
    recordings
        Folder in which recordings are kept; what GET /v1/recordings lists.
    max_clients
        WebSocket and SSE connections at a time.
    command_key
        Secret that commands are sealed with, for effectors that know it too; none: no seals.
    """

    model_config = SettingsConfigDict(env_prefix="BCI_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    token_file: Path = Field(default_factory=lambda: state_directory() / "token")
    tokens: tuple[TokenSetting, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    models: tuple[Path, ...] = (Path("models"),)
    recordings: Path = Path("recordings")
    max_clients: Annotated[int, Field(ge=1)] = 2000
    command_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings that the environment gives.

        Raises
        ------
        BadSetting
            One of them is wrong.
        """
        try:
            return cls()
        except ValidationError as e:
            raise BadSetting("; ".join(_said(error) for error in e.errors())) from e
        except SettingsError as e:
            raise BadSetting(f"{e}; lists are written as JSON") from e

    @property
    def seal_key(self) -> bytes | None:
        """What commands are sealed with."""
        key = self.command_key
        return None if key is None else key.get_secret_value().encode()

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.tls_certificate is not None and self.tls_key is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_bind(self) -> None:
        """Refuse to listen to the network in the clear, or with a token nobody has chosen to.

        Raises
        ------
        UnsafeBind
            Says what is missing.
        """
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise UnsafeBind(
                "TLS needs both a certificate and its key; set BCI_TLS_CERTIFICATE and BCI_TLS_KEY"
            )
        if self.is_loopback:
            return
        if not self.uses_tls:
            raise UnsafeBind(
                f"{self.host} can be reached from the network, and without TLS the token and all "
                "that is decoded would go over it in the clear; set BCI_TLS_CERTIFICATE and "
                "BCI_TLS_KEY, or listen on 127.0.0.1 behind a proxy that does TLS"
            )
        if not self.token_file.exists():
            raise UnsafeBind(
                f"{self.host} can be reached from the network, and there is no stored token in "
                f"{self.token_file}; start once on 127.0.0.1, which makes one, or write your own "
                "there (at least 16 characters, mode 600)"
            )

    def load_tokens(self) -> tuple[Tokens, str, bool]:
        """Return the tokens, the one with all scopes, and whether that was made just now.

        Raises
        ------
        BadTokenFile
            The stored token cannot be used.
        """
        token, is_new = stored_token(self.token_file)
        grants = {token: Grant("default", ALL_SCOPES)}
        for more in self.tokens:
            grants[more.token.get_secret_value()] = Grant(more.name, more.scopes)
        return Tokens(grants), token, is_new

    def doors(self) -> Doors:
        """Return which hosts and origins are let in."""
        named = frozenset() if self.host in ("0.0.0.0", "::") else frozenset({self.host.lower()})
        return Doors(
            frozenset(name.lower() for name in self.allowed_hosts) | named, self.allowed_origins
        )


def _said(error: ErrorDetails) -> str:
    name, *rest = (str(part) for part in error["loc"])
    where = ".".join((f"BCI_{name.upper()}", *rest))
    # What a secret is, is not told.
    given = "" if "token" in name or name == "command_key" else f" (it is {error['input']!r})"
    return f"{where}: {error['msg']}{given}"
