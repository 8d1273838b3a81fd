"""Recordings on the command line, as devices of a session."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bci_server.config import Session
    from bci_server.evaluation.groups import Source
    from devices.device import Device

__all__ = [
    "MarkersOption",
    "OptionalRecordingArguments",
    "PersonPatternOption",
    "RecordingArguments",
    "SessionArgument",
    "SessionPatternOption",
    "StreamOption",
    "recordings",
    "sources",
]

SessionArgument = Annotated[Path, typer.Argument(metavar="SESSION.toml", help="The session file.")]
RecordingArguments = Annotated[
    list[Path], typer.Argument(metavar="RECORDING…", help="Files of any format that can be read.")
]
OptionalRecordingArguments = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[RECORDING…]", help="Files of any format that can be read."),
]
StreamOption = Annotated[
    str,
    typer.Option("--stream", help="Which stream of the recordings, where they hold several."),
]
MarkersOption = Annotated[
    str,
    typer.Option(
        "--markers", help="Which markers: the name of a list in the file, or a sidecar's path."
    ),
]
PersonPatternOption = Annotated[
    str,
    typer.Option(
        "--person-pattern",
        metavar="REGEX",
        help="Finds the person in a recording's path; default: BIDS' sub-….",
    ),
]
SessionPatternOption = Annotated[
    str,
    typer.Option(
        "--session-pattern",
        metavar="REGEX",
        help="Finds the session in a recording's path; default: BIDS' ses-….",
    ),
]


def recordings(
    session: Session, files: Sequence[Path], stream: str = "", markers: str = ""
) -> list[Device]:
    """Return the files as devices that are read as fast as they can be.

    What the session says of a recording (if that is its device), and of the target, holds for
    them, unless it is given here.
    """
    from devices.adapters.recording import Recording

    plain = Recording("", truth=session.target.stream if session.target else "")
    like = session.device if isinstance(session.device, Recording) else plain
    truth = like.truth or plain.truth
    return [
        replace(
            like,
            path=str(file),
            stream=stream or like.stream,
            markers=markers or like.markers,
            truth=truth,
            speed=math.inf,
            loop=False,
            start_s=0.0,
        )
        for file in files
    ]


def sources(
    session: Session,
    files: Sequence[Path],
    where: tuple[str, str] = ("", ""),
    patterns: tuple[str, str] = ("", ""),
) -> list[Source]:
    """Return the files as recordings that say whose they are.

    Parameters
    ----------
    session
        Says how they are read, as for `recordings`.
    files
        Their paths.
    where
        Which stream, and which markers.
    patterns
        Regular expressions that find the person, and the session; see
        `bci_server.evaluation.groups`.

    Raises
    ------
    Mismatch
        A pattern is no regular expression.
    """
    from bci_server.evaluation.groups import source_of

    devices = recordings(session, files, *where)
    return [source_of(device, file, *patterns) for device, file in zip(devices, files, strict=True)]
