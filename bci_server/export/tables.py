"""A recording as tables: one for each stream of samples, for the markers, and for what was said.

Samples are the numbers in the file, of their type, and times the seconds of the recording's clock:
both are exact. ``columns`` says each column's unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bci_server.export.report import Report
from bci_server.export.source import Series, Source

__all__ = ["Table", "tables_of"]


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Parameters
    ----------
    name
        Of its file, without an ending.
    columns
        By name: arrays of one length, or lists, in which None is a cell without anything.
    units
        Of the columns that have one.
    """

    name: str
    columns: Mapping[str, Any]
    units: Mapping[str, str]


def tables_of(source: Source, report: Report) -> Iterator[Table]:
    """Yield the tables of a recording, and say what survives."""
    report.exact += ["samples, to the bit", "times of samples and markers, unrounded"]
    if source.outputs:
        report.exact.append("predictions, commands and tokens with their times")
    tables = [*_signals(source), *_outputs(source)]
    yield from tables
    listed = [(t.name, column, t.units.get(column, "")) for t in tables for column in t.columns]
    names = ("table", "column", "unit")
    yield Table("columns", dict(zip(names, map(list, zip(*listed, strict=True)), strict=True)), {})


def _signals(source: Source) -> Iterator[Table]:
    taken: set[str] = set()
    for series in source.series:
        name = _free("signal_" + re.sub(r"\W+", "_", series.name).strip("_"), taken)
        yield _signal(name, series)
    if source.markers:
        rows = [(m.time_s, m.label, name) for name, ms in source.markers.items() for m in ms]
        rows.sort(key=lambda row: row[0])
        yield _table("markers", ("time_s", "label", "list"), rows)


def _signal(name: str, series: Series) -> Table:
    breaks = set(series.breaks.tolist())
    columns: dict[str, Any] = {
        "time_s": series.times,
        "after_gap": [i in breaks for i in range(len(series.times))],
    }
    taken = set(columns)
    channels = [_free(channel, taken) for channel in series.channels]
    columns |= {channel: series.values[:, i] for i, channel in enumerate(channels)}
    unit = series.stored_unit
    return Table(name, columns, {"time_s": "s", **dict.fromkeys(channels, unit)})


def _outputs(source: Source) -> Iterator[Table]:
    outputs = source.outputs
    if predictions := outputs.predictions():
        labels = list(dict.fromkeys(label for _, p in predictions for label in p.labels))
        rows = []
        for said, p in predictions:
            of_label = dict(zip(p.labels, p.probabilities, strict=True))
            shares = (of_label.get(label) for label in labels)
            rows.append((said.time_s, said.sample, p.decision, p.cue_sample, *shares))
        names = ("time_s", "sample", "decision", "cue_sample", *(f"p_{label}" for label in labels))
        yield _table("predictions", names, rows)
    if commands := outputs.commands():
        axes = list(dict.fromkeys(name for _, c in commands for name in c.names))
        rows = [
            (s.time_s, s.sample, c.mode, c.unit, c.confidence, *_along(axes, c.names, c.values))
            for s, c in commands
        ]
        names = ("time_s", "sample", "mode", "unit", "confidence", *(f"v_{axis}" for axis in axes))
        yield _table("commands", names, rows)
    if tokens := outputs.tokens():
        keys = ("item", "text", "unit", "is_final", "segment_final", "confidence")
        rows = [(s.time_s, s.sample, *(getattr(t, key) for key in keys)) for s, t in tokens]
        yield _table("tokens", ("time_s", "sample", *keys), rows)
    if outputs.sent:
        yield _sent(source)


def _sent(source: Source) -> Table:
    """Return the commands as they went out after the gate, each with its ledger."""
    sent = source.outputs.sent
    axes = list(dict.fromkeys(name for message in sent for name in message.names))
    moments = ("sampled_s", "received_s", "decoded_s", "published_s")
    facts = ("sample", "mode", "unit", "confidence", "armed", "reason", "quality", "ttl_ms")
    rows = [
        (
            *(getattr(message.ledger, moment) for moment in moments),
            *(getattr(message, fact) for fact in facts),
            *_along(axes, message.names, message.values),
            *_along(axes, message.names, message.decoded),
        )
        for message in sent
    ]
    values = [f"v_{axis}" for axis in axes] + [f"decoded_{axis}" for axis in axes]
    return _table("sent_commands", (*moments, *facts, *values), rows)


def _along(
    axes: Sequence[str], names: Sequence[str], values: Sequence[float]
) -> list[float | None]:
    of_axis = dict(zip(names, values, strict=False))  # `decoded` is empty where nothing was
    return [of_axis.get(axis) for axis in axes]


def _table(name: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    columns = {column: [row[i] for row in rows] for i, column in enumerate(names)}
    units = {
        column: column.rpartition("_")[2] for column in names if column.endswith(("_s", "_ms"))
    }
    return Table(name, columns, units)


def _free(name: str, taken: set[str]) -> str:
    """Return `name`, or the first with a number that is not taken, and take it."""
    free, n = name, 2
    while free in taken:
        free, n = f"{name}_{n}", n + 1
    taken.add(free)
    return free
