"""``bci recover``: save what is whole of a torn or damaged recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.screen import JsonOption, results, write_json

__all__ = ["recover"]


def recover(
    file: Annotated[Path, typer.Argument(help="An XDF recording.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The new file; beside the old one if not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write every whole chunk of a recording to a new one, and say what is lost.

    The old file stays as it is, and nothing is ever overwritten. The exit code is 0 when the new
    file is written, also if something is lost: that is in the output.
    """
    from devices.recording.recover import recover as save
    from devices.recording.recover import recovered_name

    recovery = save(file, output or recovered_name(file))
    if as_json:
        write_json(recovery)
        return
    from rich.markup import escape

    console = results()
    console.print(
        f"[bold]{escape(recovery.target)}[/] has every whole chunk of {escape(str(file))}."
    )
    for s in recovery.streams:
        seconds = "" if s.lost_s is None else f" ({s.lost_s:.3f} s)"
        console.print(f"  {escape(s.name)}: {s.n_kept:,} samples kept, {s.n_lost:,} lost{seconds}")
    if recovery.n_bytes_dropped:
        console.print(f"{recovery.n_bytes_dropped:,} bytes were left out.")
    if recovery.n_unknown:
        console.print(f"{recovery.n_unknown} damaged stretches held an unknown number of samples.")
    if recovery.n_unchecked:
        console.print(
            f"{recovery.n_unchecked} chunks were taken over unchecked: no checksum tells whether "
            "they are right."
        )
