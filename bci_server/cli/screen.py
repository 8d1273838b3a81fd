"""What a command writes: results on stdout, everything else on stderr.

So the output of any command can be piped; progress is shown to a person only.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["JsonOption", "activity", "note", "results", "write_json"]

JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]


def results() -> Console:
    """Return where results go."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def note(text: str) -> None:
    """Tell a person something that is no result."""
    typer.echo(text, err=True)


def write_json(document: Any) -> None:
    """Write one JSON document on a line of its own; numbers that are not finite become null."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def activity(*, shown: bool = True) -> Iterator[Callable[[str, float], None]]:
    """Show on stderr what is being done, if that is a terminal and `shown` is true.

    Yields what is to be told: the name of the work, and how much of it is done, as a part of 1 or,
    where the end is not known, in seconds of signal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda _what, _done: None
        return
    with console.status("") as status:
        yield lambda what, done: status.update(
            f"{what} … {done:.0%}" if done < 1 else f"{what} … {done:.0f} s of signal"
        )
