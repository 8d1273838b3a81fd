"""Prints what a client receives, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import msgspec

from bci_server.cli.message_line import message_line
from bci_server.cli.screen import note
from bci_server.client import Client, Lost

__all__ = ["print_messages"]


def print_messages(
    client: Client, topics: tuple[Any, ...], rate_hz: float | None, count: int, as_json: bool
) -> None:
    """Print `count` messages, or, when that is 0, all until SIGINT or SIGTERM.

    Raises
    ------
    ClientError
        The server cannot be reached, or does not serve us.
    """
    asyncio.run(_listen(client, topics, rate_hz, count, as_json))


async def _listen(
    client: Client, topics: tuple[Any, ...], rate_hz: float | None, count: int, as_json: bool
) -> None:
    printing = asyncio.ensure_future(_print(client, topics, rate_hz, count, as_json))
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, printing.cancel)
    await asyncio.wait([printing])
    if not printing.cancelled():
        printing.result()


async def _print(
    client: Client, topics: tuple[Any, ...], rate_hz: float | None, count: int, as_json: bool
) -> None:
    n = 0
    async with client:
        note(f"{client.url}: connected; Ctrl-C ends.")
        async for message in client.subscribe(*topics, rate_hz=rate_hz):
            if isinstance(message, Lost):
                n_lost = "" if message.n is None else f"{message.n} "
                note(f"lost {n_lost}messages of {', '.join(message.topics)}: {message.reason}")
                continue
            if as_json:
                line = msgspec.json.encode(message).decode()
            else:
                line = message_line(message, client.age_s(message))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            n += 1
            if n == count:
                return
