"""Parquet: the tables of the CSV export, with types and compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bci_server.export.report import Report
from bci_server.export.source import Source
from bci_server.export.tables import tables_of

__all__ = ["write"]


def write(source: Source, target: Path, report: Report) -> None:
    """Write one file a table into the new folder `target`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target.mkdir()
    for table in tables_of(source, report):
        arrays = [
            pa.array(np.ascontiguousarray(c)) if isinstance(c, np.ndarray) else pa.array(c)
            for c in table.columns.values()
        ]
        fields = [
            pa.field(name, array.type, metadata={"unit": unit} if unit else None)
            for (name, array, unit) in (
                (name, array, table.units.get(name, ""))
                for name, array in zip(table.columns, arrays, strict=True)
            )
        ]
        made = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
        pq.write_table(made, target / f"{table.name}.parquet")
