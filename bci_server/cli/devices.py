"""``bci devices``: what is on the network, and what could be streamed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.screen import JsonOption, results, write_json

if TYPE_CHECKING:
    from devices.discovery import StreamFound

__all__ = ["devices"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device that is installed; `problem` says why it cannot be used, if so."""

    kind: str
    summary: str
    problem: str = ""


def devices(
    wait: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long to look for streams, in seconds.")
    ] = 1.5,
    as_json: JsonOption = False,
) -> None:
    """List the LSL streams on the network, and the kinds of device that could be streamed."""
    from devices.discovery import list_streams

    streams, kinds = list_streams(wait), _kinds()
    if as_json:
        write_json({"streams": [asdict(s) for s in streams], "kinds": [asdict(k) for k in kinds]})
    else:
        _show(streams, kinds, wait)


def _kinds() -> list[Kind]:
    from bci_server import catalog

    return [_kind(kind) for kind in catalog.kinds("devices") if kind != "lsl"]


def _kind(kind: str) -> Kind:
    from bci_server import catalog
    from bci_server.cli.recipe_options import summary_of

    try:
        return Kind(kind, summary_of(catalog.load("devices", kind)))
    except catalog.BrokenPlugin as error:
        return Kind(kind, "", str(error))


def _show(streams: list[StreamFound], kinds: list[Kind], wait_s: float) -> None:
    from rich.table import Table
    from rich.text import Text

    console = results()
    if streams:
        table = Table(title="LSL streams", title_justify="left", box=None, pad_edge=False)
        for column in ("name", "type", "channels", "rate", "format", "host", "source id"):
            table.add_column(column, overflow="fold")
        for s in streams:
            rate = f"{s.rate_hz:g} Hz" if s.rate_hz else "irregular"
            row = (s.name, s.type, str(s.n_channels), rate, s.format, s.host, s.source_id)
            table.add_row(*map(Text, row))
        console.print(table)
    else:
        console.print(
            f"No LSL stream answered within {wait_s:g} s. If one should have, `bci doctor` finds "
            "out what blocks it."
        )
    table = Table(
        title="\nCould be streamed, with `bci stream KIND`",
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=False,
    )
    for kind in kinds:
        table.add_row(Text(kind.kind, style="bold"), Text(kind.problem or kind.summary))
    console.print(table)
