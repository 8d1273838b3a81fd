"""``bci audit``: whether an audit log is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bci_server.cli.outcome import Exit
from bci_server.cli.screen import JsonOption, results, write_json

__all__ = ["audit"]

_MEANING = {
    "whole": "every line is as it was written, and the run ended in good order",
    "unfinished": "every whole line is as it was written; the run was cut off",
    "broken": "something was changed, removed or inserted",
}


def audit(
    file: Annotated[Path, typer.Argument(help="An audit log.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Check an audit log: every line, and that each follows the one before.

    The exit code is 0 unless the chain is broken. A run that was cut off leaves its last line torn;
    that is said, and is no break.
    """
    from rich.markup import escape

    from bci_server.safety.audit_check import check_audit

    report = check_audit(file)
    if as_json:
        write_json(report)
    else:
        console = results()
        meaning = _MEANING[report.verdict]
        console.print(f"{escape(report.path)}: [bold]{report.verdict}[/] – {meaning}")
        if report.why:
            console.print(escape(report.why))
        counts = ", ".join(f"{n} {state}" for state, n in sorted(report.transitions.items()))
        console.print(f"{report.n_lines} lines; came to be: {counts or 'nothing but disarmed'}")
        if report.n_stimuli:
            console.print(f"{report.n_stimuli} stimuli")
        console.print(f"last {report.last_state}; hash of the last line: {report.last_hash}")
    if report.verdict == "broken":
        raise typer.Exit(Exit.FAILED)
