"""``bci export``: recordings, and spiking models, in the formats of others."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, activity, results, write_json

if TYPE_CHECKING:
    from bci_server.export.report import Report

__all__ = ["export"]


class To(StrEnum):
    """The formats."""

    EDF = "edf"
    BDF = "bdf"
    FIF = "fif"
    BIDS = "bids"
    NWB = "nwb"
    CSV = "csv"
    PARQUET = "parquet"
    MCAP = "mcap"
    NIR = "nir"


def export(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings; for nir, a model's folder.", show_default=False),
    ],
    to: Annotated[To, typer.Option(help="The format.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The new file or folder; must not exist.", show_default=False
        ),
    ],
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize",
            help="Remove names, dates, serial numbers, hosts and free text; show what was removed.",
        ),
    ] = False,
    stream: Annotated[
        str, typer.Option(help="The stream that a format with a single one is to hold.")
    ] = "",
    participant: Annotated[
        str, typer.Option(help="The participant's code, instead of the one in the recording.")
    ] = "",
    species: Annotated[str, typer.Option(help="The participant's species, in Latin.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write recordings in another format, and say what survives; or a spiking model as NIR.

    All is written or nothing, and nothing is ever overwritten.
    """
    if to is To.NIR:
        if anonymize or stream or participant or species:
            raise CommandError(
                "a model names no participant and holds no stream: --to nir takes none of "
                "--anonymize, --stream, --participant, --species"
            )
        _export_model(files, output, as_json)
        return
    from bci_server.export.run import export as write

    with activity(shown=not as_json) as tell:
        tell(f"exporting to {to}", 0.0)
        reports = write(
            files,
            to,
            output,
            anonymous=anonymize,
            stream=stream,
            participant=participant,
            species=species,
        )
    if as_json:
        write_json(reports)
        return
    for report in reports:
        _show(report, anonymize)


def _export_model(folders: list[Path], output: Path, as_json: bool) -> None:
    from decoders.artifact import Artifact
    from decoders.spiking.nir_file import export_model

    if len(folders) != 1:
        raise CommandError(f"a NIR file holds one model; {len(folders)} are named")
    model = Artifact.load(folders[0])
    export_model(model, output)
    if as_json:
        write_json({"source": str(folders[0]), "target": str(output), "hash": model.hash})
        return
    results().print(f"{output} from {folders[0]}: {model.kind} {model.hash}", markup=False)


def _show(report: Report, is_anonymous: bool) -> None:
    from rich.markup import escape

    console = results()
    console.print(f"[bold]{escape(report.target)}[/] from {escape(report.source)}")
    parts = (
        ("as it was", report.exact),
        ("changed", report.changed),
        ("left out", report.left_out),
        ("removed", report.removed),
        ("look through", report.look_through),
    )
    for title, lines in parts:
        for line in lines:
            console.print(f"  {title}: {escape(line)}")
    if is_anonymous and not report.removed:
        console.print("  nothing was there to remove")
