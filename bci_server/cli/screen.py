"""What a command writes: results on stdout, everything else on stderr.

So the output of any command can be piped; progress is shown to a person only.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["note", "progress", "results", "write_json"]


def results() -> Console:
    """Return where results go."""
    from rich.console import Console

    return Console(highlight=False)


def note(text: str) -> None:
    """Tell a person something that is no result."""
    typer.echo(text, err=True)


def write_json(document: Any) -> None:
    """Write one JSON document on a line of its own; numbers that are not finite become null."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def progress(*, shown: bool = True) -> Iterator[Progress]:
    """Show progress on stderr, if that is a terminal and `shown` is true."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    ) as bars:
        yield bars
