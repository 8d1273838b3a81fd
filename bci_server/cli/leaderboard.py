"""``bci leaderboard``: every decoder that suits a session, on one's own recordings."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, activity, note, results, write_json
from bci_server.cli.session_recordings import (
    MarkersOption,
    PersonPatternOption,
    RecordingArguments,
    SessionArgument,
    SessionPatternOption,
    StreamOption,
    sources,
)

if TYPE_CHECKING:
    from bci_server.evaluation.held_out import Score, Split
    from bci_server.evaluation.leaderboard import Cell

__all__ = ["leaderboard"]


class Parting(StrEnum):
    """What is left out of the fit, one at a time."""

    WITHIN = "within"
    RECORDING = "recording"
    SESSION = "session"
    PERSON = "person"


class Scored(StrEnum):
    """What decoders are compared by."""

    ACCURACY = "accuracy"
    AUC = "auc"
    R2 = "r2"


def leaderboard(
    session: SessionArgument,
    recording: RecordingArguments,
    decoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Compare this kind; may be repeated. Default: all that need no key and no "
            "minutes of training.",
        ),
    ] = None,
    networks: Annotated[
        bool, typer.Option("--networks", help="Compare networks, too, which takes minutes each.")
    ] = False,
    leave_out: Annotated[
        Parting,
        typer.Option(
            help="What the score is of: blocks of all recordings, or one recording, session or "
            "person, decoded by what was fitted on the others."
        ),
    ] = Parting.WITHIN,
    score: Annotated[
        Scored | None, typer.Option(help="Default: accuracy of decisions, R² of values.")
    ] = None,
    person_pattern: PersonPatternOption = "",
    session_pattern: SessionPatternOption = "",
    stream: StreamOption = "",
    markers: MarkersOption = "",
    as_json: JsonOption = False,
) -> None:
    """Compare decoders behind a session's stages, each with the defaults of its kind."""
    from bci_server.config import load_session
    from bci_server.evaluation.leaderboard import candidates, compare
    from decoders.stage import Mismatch

    described = load_session(session)
    if score is not None and (score is Scored.R2) != (described.decoder.task == "continuous"):
        raise CommandError(f"this session's decoders are not scored by {score.value}")
    decoders = candidates(described, decoder or (), networks=networks)
    if not decoders:
        raise CommandError("none of these kinds says what the session's decoder says")
    found = sources(described, recording, (stream, markers), (person_pattern, session_pattern))
    split: Split = leave_out.value
    cells: dict[str, Cell] = {}
    unfit: dict[str, str] = {}
    with activity(shown=not as_json) as tell:
        by: Score | None = None if score is None else score.value
        for name, cell in compare(described, found, decoders, split, by, tell):
            if isinstance(cell, Mismatch):
                unfit[name] = str(cell)
            else:
                cells[name] = cell
    if as_json:
        table: dict[str, Any] = {name: cell.plain() for name, cell in cells.items()}
        write_json({"split": split, "decoders": table, "unfit": unfit})
        return
    _show(cells, unfit)


def _show(cells: dict[str, Cell], unfit: dict[str, str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    for name, why in unfit.items():
        note(f"{name} does not fit: {why}")
    if not cells:
        raise CommandError("no decoder fits what the stages put out; why is said above")
    first = next(iter(cells.values()))
    title = "R²" if first.score == "r2" else first.score
    title_line = f"{title}, n = {first.n}, chance {first.chance:.2f}"
    table = Table(title=title_line, box=SIMPLE_HEAD, padding=0)  # fits in 80 columns
    for head in ("decoder", title, "95 %", "control", "fit s", "p50/p99 ms", "kB"):
        table.add_column(head, justify="left" if head == "decoder" else "right")
    for name, cell in sorted(cells.items(), key=lambda item: -item[1].value):
        low, high = cell.ci95
        table.add_row(
            name,
            f"{cell.value:.3f}",
            f"{low:.2f} to {high:.2f}",
            f"{cell.control:.3f}",
            f"{cell.times.fit_s:.2f}",
            f"{cell.times.p50_ms:.2f}/{cell.times.p99_ms:.2f}",
            f"{cell.times.model_kb:.1f}",
        )
    results().print(table)
