"""Make a recording of single trials of MC_Maze (DANDI 000128), as tables of 1 ms (``*.csv.gz``).

Units in the motor cortex of a macaque that steers a cursor through a maze (Churchland and Kaufman;
CC-BY 4.0). A table has one row a millisecond, with 0 or 1 in each column ``unit_…``, and may have
the columns of ``hand_vel``, ``hand_pos``, ``cursor_pos`` and ``eye_pos``. The recording has the
stream ``spikes`` at 1 kHz, and one for each of those; each file is a trial, and time is missing
between them::

    python examples/datasets/mc_maze_trials.py trial_748_data.csv.gz maze.xdf
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream, apart
from aligned import main as convert
from numpy.typing import NDArray

RATE_HZ = 1000.0
TOLERANCE_S = 1e-4
MEASURED = {
    "velocity": ("hand_vel", ("vx", "vy"), "mm/s"),
    "position": ("hand_pos", ("x", "y"), "mm"),
    "cursor": ("cursor_pos", ("x", "y"), "mm"),
    "eye": ("eye_pos", ("x", "y"), ""),
}


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("mc_maze_trials", __doc__ or "", read, arguments, ("IN.csv.gz…",))


def read(*paths: Path) -> Aligned:
    """Read tables, each a trial.

    Raises
    ------
    OSError
        One cannot be read.
    ValueError
        One is not of this set, or of other units than the first.
    """
    tables = [_table(path) for path in paths]
    units = tuple(name for name in tables[0] if name.startswith("unit_"))
    for path, table in zip(paths, tables, strict=True):
        if "timestamp" not in table or not units or tuple(table)[-len(units) :] != units:
            raise ValueError(f"{path} is no table of this set, or of other units than {paths[0]}")
        if np.abs(np.diff(table["timestamp"]) - 1 / RATE_HZ).max(initial=0) > TOLERANCE_S:
            raise ValueError(f"{path} has other rows than one a millisecond, or rows missing")
    streams = [Stream("spikes", "Spikes", units, "count", _columns(tables, units).astype(np.int16))]
    for name, (column, channels, unit) in MEASURED.items():
        wanted = tuple(f"{column}_{axis}" for axis in "xy")
        if all(w in table for table in tables for w in wanted):
            values = _columns(tables, wanted)
            streams.append(Stream(name, "Kinematics", channels, unit, values))
    lengths = [len(table["timestamp"]) for table in tables]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return Aligned(
        RATE_HZ,
        apart(lengths, RATE_HZ),
        streams,
        {"trials": [(int(at), "trial") for at in starts]},
        starts if len(paths) > 1 else None,
    )


def _table(path: Path) -> dict[str, NDArray[np.float64]]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    rows = csv.reader(content.decode("latin-1").splitlines())
    names = next(rows, [])
    values = np.array(list(rows), np.float64).reshape(-1, len(names))
    return dict(zip(names, values.T, strict=True))


def _columns(
    tables: list[dict[str, NDArray[np.float64]]], names: tuple[str, ...]
) -> NDArray[np.float64]:
    return np.concatenate([np.stack([table[n] for n in names], axis=1) for table in tables])


if __name__ == "__main__":
    sys.exit(main())
