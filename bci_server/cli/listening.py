"""Prints what a client receives, until it is told to stop.

On a terminal, what is spoken is one line at the bottom that is corrected in place.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

import msgspec

from bci_server.cli.message_line import message_line, status_words
from bci_server.cli.running_sentence import RunningSentence
from bci_server.cli.screen import note, results
from bci_server.client import Client, Lost
from bci_server.wire import DataMessage, StatusMessage, TokenMessage

if TYPE_CHECKING:
    from rich.live import Live

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
    with _Screen(as_json) as screen:
        async with client:
            note(f"{client.url}: connected; Ctrl-C ends.")
            async for message in client.subscribe(*topics, rate_hz=rate_hz):
                if isinstance(message, Lost):
                    n_lost = "" if message.n is None else f"{message.n} "
                    note(f"lost {n_lost}messages of {', '.join(message.topics)}: {message.reason}")
                    continue
                n += screen.show(message, client.age_s(message))
                if n == count:
                    return


class _Screen:
    """Where messages are written: lines of JSON, lines of words, or a terminal."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._live: Live | None = None
        self._sentence = RunningSentence()
        self._health = ""

    def __enter__(self) -> Self:
        if sys.stdout.isatty() and not self._as_json:
            from rich.live import Live

            self._live = Live(console=results(), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, message: DataMessage, age_s: float) -> bool:
        """Write a message; say whether it was worth it.

        A person is not told five times a second that a session still waits for its device.
        """
        if self._as_json:
            self._write(msgspec.json.encode(message).decode())
            return True
        if isinstance(message, StatusMessage):
            before, self._health = self._health, status_words(message)
            if before == self._health:
                return False
        if self._live is not None:
            self._draw(self._live, message, age_s)
        else:
            self._write(message_line(message, age_s))
        return True

    def _write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def _draw(self, live: Live, message: DataMessage, age_s: float) -> None:
        from rich.text import Text

        width = live.console.width
        if not isinstance(message, TokenMessage):
            live.console.print(Text(message_line(message, age_s)))
        elif self._sentence.take(message):
            live.console.print(self._sentence.end(width))
        live.update(self._sentence.line(width), refresh=True)
