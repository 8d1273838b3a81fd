"""``bci replay``: a recorded session decoded again, and whether the same was said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.screen import JsonOption, activity, results, write_json

if TYPE_CHECKING:
    from bci_server.config import Session
    from bci_server.evaluation.compare import Comparison
    from bci_server.replay import Replayed
    from decoders.artifact import Artifact
    from decoders.pipeline import Run

__all__ = ["replay"]

_SHOWN = 200


def replay(
    file: Annotated[
        Path, typer.Argument(help="A session that [record] recorded.", show_default=False)
    ],
    speed: Annotated[
        str, typer.Option(help="How many times faster than real; max: as fast as it can.")
    ] = "max",
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a model instead of the one that the recorded session names."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Decode with this model too, and hold them together."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write what a decoder that adapts had become here."),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="With --keep: this version instead of the last.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decode a recorded session again, and say whether the same came out, to the bit.

    Ends with 1 if it did not.
    """
    from bci_server.replay import replay as run
    from bci_server.replay import taught
    from decoders.adapting.version_folder import VersionFolder
    from decoders.artifact import Artifact
    from devices.adapters.replay import Replay

    if keep is not None and keep.exists():
        raise CommandError(f"{keep} is there already; name a new folder")
    device = Replay(str(file), _speed(speed))
    session, artifact = _recorded(file, model)
    with activity(shown=not as_json) as tell:
        learned: list[Artifact] = []

        def note(ended: Run) -> None:
            learned.append(taught(artifact, ended, version))

        then = None if keep is None else note
        made = VersionFolder(model or session.model, artifact.weights)
        replayed = run(device, session, artifact, progress=tell, then=then, made=made)
        if keep is not None:
            learned[0].save(keep)
        comparison = None
        if compare is not None:
            from bci_server.evaluation.compare import compare as hold_together

            other = Artifact.load(compare)
            comparison = hold_together(device, session, (artifact, other), progress=tell)
    if as_json:
        write_json({"replay": replayed, "comparison": comparison})
    else:
        _show(replayed)
        if comparison is not None:
            _show_comparison(comparison)
    if not replayed.is_equal:
        raise typer.Exit(Exit.FAILED)


def _recorded(file: Path, model: Path | None) -> tuple[Session, Artifact]:
    from bci_server.replay import recorded_session
    from decoders.artifact import ArtifactError

    try:
        return recorded_session(file, model)
    except ArtifactError as e:
        if model is not None:
            raise
        raise CommandError(
            f"{e}\nThe recorded session names its model relative to its own folder: go there, or "
            "say where it is with --model"
        ) from e


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise CommandError(f"--speed takes a positive number or max, not {text!r}")
    return speed


def _show(replayed: Replayed) -> None:
    from rich.text import Text

    lines = [
        f"{replayed.recording} with {replayed.model}",
        f"  recorded {replayed.recorded_sha256}",
        f"  replayed {replayed.outputs_sha256}",
    ]
    if replayed.is_equal:
        lines.append(f"  equal: {replayed.n_outputs} outputs")
    elif replayed.difference is None:
        lines.append("  not equal: the recording holds other outputs than it says")
    else:
        difference = replayed.difference
        lines += [
            f"  not equal from output {difference.number} on:",
            f"    recorded {_short(difference.recorded)}",
            f"    replayed {_short(difference.replayed)}",
        ]
    lines.append(f"  {replayed.signal_s:.1f} s, {replayed.real_time_factor:.1f} times real time")
    if replayed.schedule_error_ms is not None:
        lines.append(f"  the latest chunk came {replayed.schedule_error_ms:.2f} ms late")
    lines += [f"  note: {note}" for note in replayed.notes]
    console = results()
    for line in lines:
        console.print(Text(line))


def _short(line: str | None) -> str:
    if line is None:
        return "nothing"
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _show_comparison(comparison: Comparison) -> None:
    from rich.text import Text

    from bci_server.cli.score_table import score_lines

    console = results()
    for side in comparison.sides:
        console.print(Text(f"{side.decoder.name} {side.decoder.hash}"))
        lines = score_lines(side.metrics) if side.metrics is not None else [side.no_score]
        lines.append(
            f"a block took {side.latency_ms['p50']:.2f} ms to decode (p50), "
            f"{side.latency_ms['p99']:.2f} ms (p99)"
        )
        for line in lines:
            console.print(Text(f"  {line}"))
    console.print(Text("Together"))
    for name, value in comparison.agreement.items():
        console.print(Text(f"  {name} {value:.4g}"))
