"""``bci evaluate``: the live path over recordings, as fast as it can, and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.screen import activity, results, write_json
from bci_server.cli.session_recordings import (
    MarkersOption,
    RecordingArguments,
    SessionArgument,
    StreamOption,
    recordings,
)

if TYPE_CHECKING:
    from bci_server.evaluate import Evaluation

__all__ = ["evaluate"]


def evaluate(
    session: SessionArgument,
    recording: RecordingArguments,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model; default: the one the session names.")
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
) -> None:
    """Decode recordings through the very code that runs live, and say how good that was."""
    from bci_server.config import load_session
    from bci_server.evaluate import Controls
    from bci_server.evaluate import evaluate as score
    from decoders.artifact import Artifact

    described = load_session(session)
    artifact = Artifact.load(model or described.model)
    devices = recordings(described, recording, stream, markers)
    with activity(shown=not as_json) as tell:
        evaluation = score(
            artifact,
            described.pipeline,
            described.decoder,
            devices,
            described.target.channels if described.target else (),
            controls=Controls(threshold, dwell_s, permute_labels, shift_truth),
            progress=tell,
        )
    write_json(evaluation) if as_json else _show(evaluation)


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
