"""Recordings as lines of text: one each where the width allows, else two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from bci_server.library_entry import Entry

__all__ = ["recording_lines"]

_COLUMNS = ("id", "participant", "task", "started", "length", "markers", "tags", "file")
_LAST = ("tags", "file")
_GAP = "  "


def recording_lines(entries: Sequence[Entry], width: int | None) -> Iterator[Text]:
    """Yield what a list of recordings shows: ids and files whole, no column that is empty.

    Where it is too narrow for all, tags and file go below the rest.

    Parameters
    ----------
    entries
        The recordings.
    width
        Columns of the screen; None: as wide as it comes, as for another program.
    """
    columns = [c for c in zip(_COLUMNS, *map(_facts, entries), strict=True) if any(c[1:])]
    lines = _side_by_side(columns)
    is_narrow = width is not None and max(map(len, lines), default=0) > width
    if is_narrow:
        lines = _side_by_side([c for c in columns if c[0] not in _LAST])
    for line in lines[:1]:
        yield Text(line, style="bold")
    for entry, line in zip(entries, lines[1:], strict=True):
        yield Text(line)
        if is_narrow:
            yield Text(_GAP + _GAP.join(filter(None, (entry.place, " ".join(entry.tags)))))
        if entry.problem:
            yield Text(_GAP + entry.problem, style="red")


def _side_by_side(columns: Sequence[Sequence[str]]) -> list[str]:
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    return [_GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _facts(entry: Entry) -> tuple[str, ...]:
    is_read = bool(entry.streams)
    return (
        entry.id,
        entry.participant,
        entry.task,
        entry.started_at[:16].replace("T", " "),
        f"{entry.streams[0].duration_s:.0f} s" if is_read else "",
        str(entry.n_markers) if is_read else "",
        " ".join(entry.tags),
        entry.place,
    )
