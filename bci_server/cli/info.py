"""``bci info``: what is in a recording, with a picture."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, note, write_json
from bci_server.cli.verify import show_report

__all__ = ["info"]


def info(
    file: Annotated[Path, typer.Argument(help="An XDF recording.", show_default=False)],
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw traces, markers, gaps and quality over time into this PNG file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a recording: streams, durations, gaps, markers, and its state."""
    from devices.recording.verify import verify

    if picture is not None and find_spec("matplotlib") is None:
        raise CommandError(
            "a picture needs matplotlib, which is not installed; install it with "
            "pip install 'bci-server[plots]'"
        )
    report = verify(file)
    if as_json:
        write_json(report)
    else:
        show_report(report)
    if picture is None:
        return
    from devices.recording.overview import overview

    seen = overview(report)
    if seen is None:
        raise CommandError(f"{file} has no samples to draw")
    from devices.recording.picture import draw

    draw(report, seen, picture)
    note(f"drawn into {picture}")
