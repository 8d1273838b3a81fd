"""``bci calibrate``: recordings become a model, through the very steps that run live."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, activity, results, write_json
from bci_server.cli.session_recordings import (
    MarkersOption,
    OptionalRecordingArguments,
    PersonPatternOption,
    SessionArgument,
    SessionPatternOption,
    StreamOption,
    sources,
)

if TYPE_CHECKING:
    from bci_server.config import Session
    from bci_server.evaluation.groups import Source
    from decoders.artifact import Artifact
    from decoders.gathering import Progress

__all__ = ["calibrate"]


def calibrate(
    session: SessionArgument,
    recording: OptionalRecordingArguments = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Guide a participant through trials on the running server, instead of RECORDING…, "
            "and fit on those.",
        ),
    ] = False,
    url: Annotated[
        str, typer.Option(help="With --live: the server; default: the one of this machine.")
    ] = "",
    trials: Annotated[
        int, typer.Option(min=2, help="With --live: how many trials of each class.")
    ] = 15,
    pause_s: Annotated[
        float, typer.Option("--pause-s", min=0.0, help="With --live: rest before each trial.")
    ] = 2.0,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help="With --live: take the model without asking, if it is better than chance.",
        ),
    ] = False,
    model_before: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Begin from this model, of other people or another day, and tune it to these few "
            "recordings, instead of fitting anew.",
        ),
    ] = None,
    pseudo_labels: Annotated[
        bool,
        typer.Option(
            "--pseudo-labels",
            help="With --from, for speech: learn from what the model and its language hear in one "
            "recording, not from cues. A model that is no better is not written.",
        ),
    ] = False,
    person_pattern: PersonPatternOption = "",
    session_pattern: SessionPatternOption = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder of the model; default: the one the session names."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a model that is there already.")
    ] = False,
    stream: StreamOption = "",
    markers: MarkersOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fit the session's decoder on recordings, and say how well it does on what it left out."""
    if live:
        from bci_server.cli.calibrate_live import calibrate_live

        if recording:
            raise CommandError("--live makes a recording of its own; leave RECORDING… away")
        calibrate_live(session, url, trials, pause_s, accept, as_json)
        return
    if not recording:
        raise CommandError("name at least one RECORDING, or --live on a running server")
    from bci_server.config import load_session
    from decoders.artifact import Artifact

    described = load_session(session)
    folder = output or described.model
    if folder.exists() and not replace:
        raise CommandError(f"{folder} is there already; add --replace to overwrite it")
    found = sources(described, recording, (stream, markers), (person_pattern, session_pattern))
    parent = None if model_before is None else Artifact.load(model_before)
    checkpoints = folder.with_name(f"{folder.name}.training")
    if pseudo_labels and (parent is None or len(found) != 1):
        raise CommandError("--pseudo-labels needs --from MODEL and one RECORDING")
    with activity(shown=not as_json) as tell:
        if pseudo_labels and parent is not None:
            from decoders.calibrating.recalibration import recalibrated

            one = found[0].device
            model = recalibrated(described.pipeline, described.decoder, one, parent, progress=tell)
        else:
            model = _fit(described, found, parent, checkpoints, tell)
    model.save(folder, replace=replace)
    if checkpoints.exists():
        shutil.rmtree(checkpoints)
    summary = _summary(folder, model, described)
    write_json(summary) if as_json else _show(summary)


def _fit(
    described: Session,
    found: Sequence[Source],
    parent: Artifact | None,
    checkpoints: Path,
    tell: Progress,
) -> Artifact:
    from bci_server.evaluation.groups import numbered
    from decoders.calibrating.calibration import calibrate as fit
    from decoders.decoder import OfSessions

    return fit(
        described.pipeline,
        described.decoder,
        [source.device for source in found],
        described.target.channels if described.target else (),
        tell,
        checkpoints,
        sessions=numbered(found) if isinstance(described.decoder, OfSessions) else (),
        parent=parent,
    )


def _summary(folder: Path, model: Artifact, described: Session) -> dict[str, Any]:
    from decoders.open_keys import choices

    return {
        "model": str(folder),
        "hash": model.hash,
        "decoder": dict(model.decoder),
        "chosen": choices(described.decoder, model.decoder),
        "signal": {
            "rate_hz": model.signal.rate_hz,
            "channels": list(model.signal.channels),
            "unit": model.signal.unit,
        },
        "labels": list(model.labels),
        "metrics": dict(model.metrics),
        "training_sha256": model.training_sha256,
        "parent": model.parent,
    }


def _show(summary: dict[str, Any]) -> None:
    from rich.text import Text

    console = results()
    signal, decoder = summary["signal"], summary["decoder"]
    chosen = ", ".join(f"{key} = {value}" for key, value in summary["chosen"].items())
    console.print(
        Text(
            f"{summary['model']}: {decoder['kind']} {summary['hash']}"
            + (f" ({chosen})" if chosen else "")
            + f", fitted on {len(signal['channels'])} channels at {signal['rate_hz']:g} Hz; says "
            f"{', '.join(summary['labels'])}"
            + (f"; tuned from {summary['parent']}" if summary["parent"] else "")
        )
    )
    from bci_server.cli.score_table import score_lines

    if not summary["metrics"]:
        console.print(
            Text("Too few trials to leave some out, so it says nothing of how good it is.")
        )
        return
    console.print(Text("Cross-validated within the recordings:"))
    for line in score_lines(summary["metrics"]):
        console.print(Text(f"  {line}"))
