"""What the demo shows of its session: where the decoder leans, what it decided, how late it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from bci_server.cli.message_line import bar, status_words
from bci_server.client import Lost, connect
from bci_server.wire import DataMessage, MarkerMessage, PredictionMessage, StatusMessage

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Tally", "watch"]

_EVERY, _EVERY_HEALTH = 10, 5
"""Without a terminal, one prediction and one status in so many are shown."""


@dataclass(slots=True)
class Tally:
    """What was said so far.

    Attributes
    ----------
    n_right, n_decided
        Decisions that were right, and all.
    leaning
        The newest prediction as a bar for each class.
    health
        The newest status.
    """

    n_right: int = 0
    n_decided: int = 0
    leaning: str = "waiting for the first prediction"
    health: str = ""
    _cues: dict[int, str] = field(default_factory=dict)

    def take(self, message: DataMessage | Lost) -> str | None:
        """Take a message in; return a line if it is worth one for good."""
        match message:
            case MarkerMessage():
                self._cues[message.sample] = message.label
            case StatusMessage():
                self.health = status_words(message)
            case PredictionMessage():
                self.leaning = "  ".join(
                    f"{label} {bar(p)} {p:.2f}"
                    for label, p in zip(message.labels, message.probabilities, strict=True)
                )
                return self._decision(message)
            case Lost():
                return f"lost messages: {message.reason}"
        return None

    def _decision(self, message: PredictionMessage) -> str | None:
        if message.decision is None or message.cue_sample is None:
            return None
        intended = self._cues.pop(message.cue_sample, None)
        if intended is None:  # it began before we listened
            return f"decided {message.decision}"
        self.n_decided += 1
        self.n_right += intended == message.decision
        mark = "✓" if intended == message.decision else "✗"
        return (
            f"{mark} intended {intended:<5} decided {message.decision:<5} "
            f"({self.n_right} of {self.n_decided} right)"
        )


class _Lines:
    """Shows it without a terminal: every decision, and now and then the rest."""

    def __init__(self) -> None:
        self._n = self._n_health = 0

    def show(self, tally: Tally, message: DataMessage | Lost, line: str | None) -> None:
        if line is not None:
            typer.echo(line)
        elif isinstance(message, StatusMessage):
            self._n_health += 1
            if self._n_health % _EVERY_HEALTH == 1:
                typer.echo(tally.health)
        elif isinstance(message, PredictionMessage):
            self._n += 1
            if self._n % _EVERY == 1:
                typer.echo(tally.leaning)


class _Screen:
    """Shows it on a terminal: two lines that change, decisions above them."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, tally: Tally, message: DataMessage | Lost, line: str | None) -> None:
        from rich.text import Text

        if line is not None:
            self._live.console.print(Text(line))
        self._live.update(Text(f"{tally.leaning}\n{tally.health}"))


@contextmanager
def _view() -> Iterator[_Lines | _Screen]:
    if not sys.stdout.isatty():
        yield _Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=8) as live:
        yield _Screen(live)


async def watch(url: str, token: str, on_first: Callable[[], None]) -> None:
    """Show what the session ``demo`` says until cancelled.

    Parameters
    ----------
    url, token
        The server.
    on_first
        Called at the first prediction.
    """
    tally = Tally()
    has_begun = False
    with _view() as view:
        async with connect(url, token, session="demo") as client:
            async for message in client.subscribe("predictions", "markers", "status"):
                if not has_begun and isinstance(message, PredictionMessage):
                    has_begun = True
                    on_first()
                view.show(tally, message, tally.take(message))
