"""``bci evaluate``: the live path over recordings, as fast as it can, and how good it is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import CommandError
from bci_server.cli.screen import JsonOption, activity, results, write_json
from bci_server.cli.session_recordings import (
    MarkersOption,
    PersonPatternOption,
    RecordingArguments,
    SessionArgument,
    SessionPatternOption,
    StreamOption,
    recordings,
    sources,
)

if TYPE_CHECKING:
    from bci_server.evaluation.evaluate import Controls, Evaluation
    from bci_server.evaluation.leave_out import LeftOutEvaluation

__all__ = ["evaluate"]


class LeaveOut(StrEnum):
    """What is left out of the fit, one at a time."""

    RECORDING = "recording"
    SESSION = "session"
    PERSON = "person"


def evaluate(
    session: SessionArgument,
    recording: RecordingArguments,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model; default: the one the session names.")
    ] = None,
    leave_out: Annotated[
        LeaveOut | None,
        typer.Option(
            help="Fit on all recordings but those of one session (of the same person), or of one "
            "person, decode these, and so on in turn. No model is needed, and none is kept."
        ),
    ] = None,
    first_s: Annotated[
        float,
        typer.Option(
            "--first-s",
            min=0,
            metavar="SECONDS",
            help="With --leave-out: tune the model to the first seconds of what was left out, and "
            "score the rest.",
        ),
    ] = 0.0,
    person_pattern: PersonPatternOption = "",
    session_pattern: SessionPatternOption = "",
    stream: StreamOption = "",
    markers: MarkersOption = "",
    permute_labels: Annotated[
        int | None,
        typer.Option(
            metavar="SEED", help="Control: permute the trials' labels; the score must be chance."
        ),
    ] = None,
    shift_truth: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="Control: turn the truth by so much; the score must be chance."
        ),
    ] = 0.0,
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="What counts as a false activation: this probability …"),
    ] = 0.9,
    dwell_s: Annotated[
        float, typer.Option("--dwell-s", min=0, help="… held for so many seconds, out of trials.")
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Decode recordings through the very code that runs live, and say how good that was."""
    from bci_server.evaluation.evaluate import Controls

    if leave_out is not None and model is not None:
        raise CommandError("--leave-out fits models of its own; leave --model out")
    if first_s and leave_out is None:
        raise CommandError("--first-s goes with --leave-out; to tune a model, calibrate --from it")
    controls = Controls(threshold, dwell_s, permute_labels, shift_truth)
    where = (stream, markers)
    if leave_out is None:
        evaluation = _of_model(session, recording, model, where, controls, not as_json)
        write_json(evaluation) if as_json else _show(evaluation)
    else:
        patterns = (person_pattern, session_pattern)
        by = (leave_out, first_s)
        folds = _of_others(session, recording, by, patterns, where, controls, not as_json)
        write_json(folds) if as_json else _show_folds(folds)


def _of_model(
    session: Path,
    files: list[Path],
    model: Path | None,
    where: tuple[str, str],
    controls: Controls,
    shown: bool,
) -> Evaluation:
    from bci_server.config import load_session
    from bci_server.evaluation.evaluate import evaluate as score
    from decoders.artifact import Artifact

    described = load_session(session)
    artifact = Artifact.load(model or described.model)
    devices = recordings(described, files, *where)
    with activity(shown=shown) as tell:
        return score(
            artifact,
            described.pipeline,
            described.decoder,
            devices,
            described.target.channels if described.target else (),
            controls=controls,
            progress=tell,
        )


def _of_others(
    session: Path,
    files: list[Path],
    by: tuple[LeaveOut, float],
    patterns: tuple[str, str],
    where: tuple[str, str],
    controls: Controls,
    shown: bool,
) -> LeftOutEvaluation:
    from bci_server.config import load_session
    from bci_server.evaluation.leave_out import leave_one_out

    described = load_session(session)
    found = sources(described, files, where, patterns)
    with activity(shown=shown) as tell:
        return leave_one_out(
            described.pipeline,
            described.decoder,
            found,
            by[0].value,
            described.target.channels if described.target else (),
            first_s=by[1],
            controls=controls,
            progress=tell,
        )


def _show(evaluation: Evaluation) -> None:
    from rich.text import Text

    from bci_server.cli.score_table import score_lines

    console = results()
    decoder = evaluation.decoder
    console.print(Text(f"{decoder.name} {decoder.hash} on {', '.join(evaluation.recordings)}"))
    lines = score_lines(evaluation.metrics)
    lines.append(
        f"a block took {evaluation.latency_ms['p50']:.2f} ms to decode (p50), "
        f"{evaluation.latency_ms['p99']:.2f} ms (p99); {evaluation.real_time_factor:.0f} times "
        "faster than real time"
    )
    lines.append(f"outputs {evaluation.outputs_sha256}")
    for line in lines:
        console.print(Text(f"  {line}"))


def _show_folds(evaluation: LeftOutEvaluation) -> None:
    from rich.text import Text

    from bci_server.cli.score_table import score_lines

    console = results()
    for fold in evaluation.folds:
        console.print(Text(f"{fold.left_out}, by a model of {fold.n_fitted} other recordings:"))
        for line in score_lines(fold.metrics):
            console.print(Text(f"  {line}"))
    spread = ""
    if evaluation.mean_ci95 is not None:
        low, high = evaluation.mean_ci95
        spread = f" (95 % interval over them {low:.3f} to {high:.3f})"
    name = "R²" if evaluation.score == "r2" else evaluation.score
    console.print(
        Text(f"mean {name} of {len(evaluation.folds)} folds {evaluation.mean:.3f}{spread}")
    )
    if evaluation.pooled is not None:
        console.print(Text(f"all their trials: {score_lines(evaluation.pooled)[0]}"))
