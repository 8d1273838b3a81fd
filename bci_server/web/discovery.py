"""Looks for devices in a process of its own, so that no driver can block or break the server."""

from __future__ import annotations

import asyncio
import sys

from pydantic import ValidationError

from bci_server.web.services import DevicesShape

__all__ = ["Discovery", "DiscoveryFailed"]

_TIMEOUT_S = 20.0


class DiscoveryFailed(Exception):
    """The search for devices failed; the message says how."""


class Discovery:
    """Runs ``bci devices --json``, once at a time, for everybody who asks meanwhile.

    Parameters
    ----------
    command
        Prints the devices as JSON.
    """

    def __init__(
        self, command: tuple[str, ...] = (sys.executable, "-m", "bci_server", "devices", "--json")
    ) -> None:
        self._command = command
        self._running: asyncio.Task[DevicesShape] | None = None

    async def __call__(self) -> DevicesShape:
        """Return the devices there are.

        Raises
        ------
        DiscoveryFailed
            The search did not end well.
        """
        if self._running is None:
            self._running = asyncio.create_task(self._search())
            self._running.add_done_callback(self._done)
        return await asyncio.shield(self._running)

    def _done(self, search: asyncio.Task[DevicesShape]) -> None:
        self._running = None
        if not search.cancelled():
            search.exception()  # has been seen, also when everybody who asked has gone

    async def _search(self) -> DevicesShape:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                out, errors = await process.communicate()
        except TimeoutError as e:
            raise DiscoveryFailed(f"it took longer than {_TIMEOUT_S:g} s") from e
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise DiscoveryFailed(_last_line(errors) or f"exit code {process.returncode}")
        try:
            return DevicesShape.model_validate_json(out)
        except ValidationError as e:
            raise DiscoveryFailed(f"what it found cannot be read: {e}") from e


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
