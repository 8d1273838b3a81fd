"""``bci sessions``: the library of recorded sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.screen import JsonOption, note, results, write_json

if TYPE_CHECKING:
    from bci_server.library import Library
    from bci_server.library_entry import Entry

__all__ = ["sessions"]

sessions = typer.Typer(
    help="List, search and tag recorded sessions.", context_settings={"obj": None}
)

_Folder = Annotated[
    Path,
    typer.Option(envvar="BCI_RECORDINGS", help="Where the recordings are."),
]
_Index = Annotated[
    Path | None, typer.Option(help="Where the index is kept; in that folder if not given.")
]
_Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Throw the index away, and read every file anew.")
]
_Id = Annotated[str, typer.Argument(help="As the list has it.", show_default=False)]
_Tags = Annotated[list[str], typer.Argument(help="Words.", show_default=False)]
_FOLDER = Path("recordings")


@sessions.callback(invoke_without_command=True)
def _list_if_nothing_is_asked(
    context: typer.Context,
    folder: _Folder = _FOLDER,
    index: _Index = None,
    rebuild: _Rebuild = False,
    as_json: JsonOption = False,
) -> None:
    context.obj = _fresh(folder, index, rebuild)
    if context.invoked_subcommand is None:
        _show_all(context.obj.find(), as_json)


@sessions.command("list")
def list_(
    context: typer.Context,
    participant: Annotated[str, typer.Option(help="Only of this participant.")] = "",
    task: Annotated[str, typer.Option(help="Only of this task.")] = "",
    device: Annotated[str, typer.Option(help="Only with this device.")] = "",
    tag: Annotated[str, typer.Option(help="Only with this tag.")] = "",
    readable: Annotated[
        bool | None, typer.Option("--readable/--unreadable", help="Only those.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List recordings, the newest first."""
    from bci_server.library import Query

    query = Query(participant=participant, task=task, device=device, tag=tag, readable=readable)
    _show_all(_library(context).find(query), as_json)


@sessions.command()
def search(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(help="All of them occur.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Search in all that is known: names, codes, devices, channels, tags, dates."""
    from bci_server.library import Query

    _show_all(_library(context).find(Query(search=" ".join(words))), as_json)


@sessions.command()
def show(context: typer.Context, recording: _Id, as_json: JsonOption = False) -> None:
    """Show all that is known of a recording."""
    _show(_library(context).get(recording), as_json)


@sessions.command()
def tag(context: typer.Context, recording: _Id, tags: _Tags, as_json: JsonOption = False) -> None:
    """Tag a recording. Tags stand in a file beside it."""
    _show(_library(context).tag(recording, tags), as_json)


@sessions.command()
def untag(context: typer.Context, recording: _Id, tags: _Tags, as_json: JsonOption = False) -> None:
    """Take tags away from a recording."""
    _show(_library(context).untag(recording, tags), as_json)


@sessions.command()
def verify(context: typer.Context, recording: _Id, as_json: JsonOption = False) -> None:
    """Check every chunk of a recording, and keep the verdict until the file changes."""
    _show(_library(context).verify(recording), as_json)


def _library(context: typer.Context) -> Library:
    library: Library = context.obj
    return library


def _fresh(folder: Path, index: Path | None, rebuild: bool) -> Library:
    from bci_server.library import Library

    library = Library(folder, index)
    scan = library.rebuild() if rebuild else library.scan()
    if rebuild or scan.n_new or scan.n_gone:
        note(
            f"{scan.n_read} read, {scan.n_new} new, {scan.n_gone} gone; {scan.n_recordings} in all"
        )
    return library


def _show_all(entries: list[Entry], as_json: bool) -> None:
    if as_json:
        write_json(entries)
        return
    from bci_server.cli.recording_lines import recording_lines

    console = results()
    if not entries:
        console.print("No recording is as asked for.")
    width = console.width if console.is_terminal else None
    for line in recording_lines(entries, width):
        console.print(line, soft_wrap=True)  # what is too long is the terminal's to break, unharmed


def _show(entry: Entry, as_json: bool) -> None:
    if as_json:
        write_json(entry)
        return
    from rich.markup import escape

    console = results()
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if name == "streams":
            for s in value:
                line = f"{s.name} ({s.kind}): {len(s.channels)} channels [{s.unit}] at "
                line += f"{s.rate_hz:g} Hz, {s.n_samples:,} samples, {s.duration_s:.3f} s"
                console.print(f"stream: {escape(line)}, {s.n_gaps} gaps")
        elif value:
            text = " ".join(value) if name == "tags" else str(value)
            console.print(f"{name}: {escape(text)}")
