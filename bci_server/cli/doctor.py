"""``bci doctor``: what this machine can and cannot do, each finding with its remedy."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.screen import JsonOption, activity, results, write_json

if TYPE_CHECKING:
    from bci_server.doctor import Finding

__all__ = ["doctor"]

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


def doctor(
    port: Annotated[
        list[int] | None,
        typer.Option(
            min=1, max=65535, help="TCP port that the server is to listen on; may be repeated."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Examine this machine: LSL, network, clock, timers, ports, permissions. Takes four seconds.

    Its exit code says what was found: 0 nothing to mend, 1 it works worse than it could, 2 a
    session cannot work.
    """
    from bci_server.cli.server_address import read_settings
    from bci_server.doctor import examine

    ports = port or [read_settings().port]
    with activity(shown=not as_json) as tell:
        tell("examining", 0.0)
        findings = examine(ports)
    if as_json:
        write_json({"findings": [asdict(f) for f in findings]})
    else:
        _show(findings)
    levels = {f.level for f in findings}
    raise typer.Exit(2 if "fail" in levels else 1 if "warn" in levels else 0)


def _show(findings: list[Finding]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console = results()
    for finding in findings:
        mark, style = _MARKS[finding.level]
        console.print(Text.assemble((mark, style), " ", finding.what))
        if finding.fix:
            console.print(Padding(Text(f"→ {finding.fix}"), (0, 0, 0, 2)))
