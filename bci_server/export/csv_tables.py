"""CSV: a folder of tables that everything opens. Numbers read back equal."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bci_server.export.report import Report
from bci_server.export.source import Source
from bci_server.export.tables import tables_of

__all__ = ["write"]

_ROWS = 4096


def write(source: Source, target: Path, report: Report) -> None:
    """Write one file a table into the new folder `target`."""
    target.mkdir()
    for table in tables_of(source, report):
        with (target / f"{table.name}.csv").open("x", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(table.columns)
            rows = zip(*map(_cells, table.columns.values()), strict=True)
            while some := list(islice(rows, _ROWS)):
                out.writerows(some)


def _cells(column: Any) -> Any:
    """Return Python's own numbers, whose texts are the shortest that read back equal."""
    return column.tolist() if isinstance(column, np.ndarray) else column
