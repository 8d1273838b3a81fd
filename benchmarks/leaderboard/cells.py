"""One decoder on one set: a cell of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bci_server.config import Session, session_of
from bci_server.evaluation.groups import Source
from bci_server.evaluation.leaderboard import Cell, measure, time_fit_and_step
from benchmarks.leaderboard.sets import ROOT, RecordedSet
from benchmarks.leaderboard.variants import Variant
from decoders.calibrating.calibration import one_thread
from decoders.describe import describe_pipeline
from decoders.gathering import Gathered, gather
from decoders.training.recipe import Trained

__all__ = ["cell_of", "described", "set_up", "times_of"]


def described(recorded: RecordedSet, variant: Variant) -> dict[str, Any]:
    """Return the session file of this decoder on this set."""
    import tomllib

    file = ROOT / "examples" / "sessions" / f"{recorded.session}.toml"
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    for changes in (recorded.changes, variant.changes or {}):
        for section, keys in changes.items():
            document[section] = {**document.get(section, {}), **keys}
    if variant.stages is not None:
        document["stages"] = [dict(stage) for stage in variant.stages]
    document["decoder"] = {**(variant.decoder or document["decoder"]), "model": "unused"}
    document.pop("commands", None)
    return document


def set_up(
    recorded: RecordedSet, variant: Variant, folder: Path
) -> tuple[Session, list[Source], dict[str, Gathered]]:
    """Return the session, the recordings, and these through the steps; `folder` keeps them."""
    session = session_of(described(recorded, variant), folder)
    sources = recorded.sources(folder)
    return session, sources, _gathered(recorded.name, session, sources)


def cell_of(recorded: RecordedSet, variant: Variant, folder: Path) -> Cell:
    """Measure one cell; `folder` keeps what the set is converted to."""
    with one_thread():
        session, sources, found = set_up(recorded, variant, folder)
        return measure(session, sources, recorded.split, recorded.score, found)


def times_of(recorded: RecordedSet, variant: Variant, folder: Path) -> dict[str, Any]:
    """Return the times of one cell, and score nothing.

    A network's fit is timed when it is scored, and not again: one epoch is enough for a step.
    """
    with one_thread():
        session, sources, found = set_up(recorded, variant, folder)
        if not isinstance(session.decoder, Trained):
            return time_fit_and_step(session, sources, found).plain()
        short = replace(session, decoder=replace(session.decoder, epochs=1))
        times = time_fit_and_step(short, sources, found).plain()
        return {key: value for key, value in times.items() if key != "fit_s"}


_LAST: dict[str, dict[str, Gathered]] = {}


def _gathered(name: str, session: Session, sources: Sequence[Source]) -> dict[str, Gathered]:
    """Return the recordings through the steps; decoders behind the same steps share them."""
    key = f"{name} {describe_pipeline(session.pipeline)} {session.pipeline.channels}"
    if key not in _LAST:
        if len(_LAST) > 2:
            _LAST.pop(next(iter(_LAST)))
        _LAST[key] = {s.name: gather(s.device, session.pipeline) for s in sources}
    return _LAST[key]
