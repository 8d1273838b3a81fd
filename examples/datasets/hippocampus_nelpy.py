"""Make recordings of the place cells that come with nelpy: spike times, and a video tracker's file.

Units in CA1 of a rat that runs along a track. ``spikes.mat`` has the spike times of every sorted
unit, in seconds; the tracker's file, plain or gzipped, has an LED's place in pixels some 60 times a
second, on a clock of its own rate. The recording has the stream ``spikes``, counts in bins of 50 ms
stamped at their ends; ``position``, where the rat is then, not a number where the tracker had lost
it; and ``running``, the same but only while it runs (there the cells tell where it is; at rest they
replay other places). In the set's linear track it runs for the first half of the recording::

    python examples/datasets/hippocampus_nelpy.py spikes.mat TRACKING fit.xdf --to 0.4
    python examples/datasets/hippocampus_nelpy.py spikes.mat TRACKING rest.xdf --from 0.4 --to 0.52
"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream, numbered
from aligned import main as convert
from numpy.typing import NDArray

BIN_S = 0.05
SPEED_S = 0.5  # the speed is the way of so many seconds, half of them before
RUNNING_PX_S = 30.0
LONGEST_LOSS_S = 0.5
END = b"<End settings>\n"


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    sources = ("spikes.mat", "TRACKING")
    return convert("hippocampus_nelpy", __doc__ or "", read, arguments, sources)


def read(spikes: Path, tracking: Path) -> Aligned:
    """Read the spike times and the places.

    Raises
    ------
    OSError
        A file cannot be read.
    ValueError
        One is not of this set, or they do not belong together.
    """
    units = _units(spikes)
    tracked_s, places = _places(tracking)
    n_bins = int((tracked_s[-1] - tracked_s[0]) / BIN_S)
    edges = tracked_s[0] + BIN_S * np.arange(n_bins + 1)
    counts = np.stack([np.histogram(unit, edges)[0] for unit in units], axis=1)
    if not counts.any():
        raise ValueError(f"no unit of {spikes} fires while {tracking} follows the animal")
    position = _at(edges[1:], tracked_s, places)
    half_s = SPEED_S / 2
    way = _at(edges[1:] + half_s, tracked_s, places) - _at(edges[1:] - half_s, tracked_s, places)
    runs = np.hypot(*way.T) / SPEED_S > RUNNING_PX_S
    running = np.where(runs[:, np.newaxis], position, np.nan)
    return Aligned(
        1 / BIN_S,
        edges[1:],
        [
            Stream("spikes", "Spikes", numbered("unit", len(units)), "count", counts),
            Stream("running", "Kinematics", ("x", "y"), "px", running),
            Stream("position", "Kinematics", ("x", "y"), "px", position),
        ],
    )


def _units(path: Path) -> list[NDArray[np.float64]]:
    """Return the spike times of each unit that has any: cells within cells, one a tetrode."""
    from scipy.io import loadmat

    held = loadmat(path)
    if "spikes" not in held:
        raise ValueError(f"{path} has no cell array 'spikes'; it is not of this set")
    found: list[NDArray[np.float64]] = []
    _collect(held["spikes"], found)
    if not found:
        raise ValueError(f"{path} holds no spike times")
    return found


def _collect(cell: NDArray[np.void], found: list[NDArray[np.float64]]) -> None:
    if cell.dtype.names and "time" in cell.dtype.names:
        found += [t.ravel().astype(np.float64) for t in cell["time"].ravel() if t.size]
    elif cell.dtype == object:
        for inner in cell.ravel():
            _collect(inner, found)


def _places(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when it sees the animal, (n,) seconds, and where, (n, 2) pixels."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    head, end, body = content.partition(END)
    clock = re.search(rb"clockrate: (\d+)", head)
    if not end or clock is None or b"<time uint32><xloc uint16><yloc uint16>" not in head:
        raise ValueError(f"{path} is no file of this tracker")
    names = re.findall(rb"<(\w+) uint(16|32)>", head.split(b"Fields:")[1])
    row = np.dtype([(name.decode(), f"<u{int(bits) // 8}") for name, bits in names])
    rows = np.frombuffer(body, row, len(body) // row.itemsize)
    places = np.stack([rows["xloc"], rows["yloc"]], axis=1).astype(np.float64)
    seen = places.any(axis=1) & np.append(np.diff(rows["time"].astype(np.int64)) > 0, True)
    if seen.sum() < 2:
        raise ValueError(f"{path} never sees the animal")
    return rows["time"][seen] / float(clock[1]), places[seen]


def _at(
    times: NDArray[np.float64], tracked_s: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the places at some times; not a number where the tracker is blind for long."""
    place = np.stack([np.interp(times, tracked_s, axis) for axis in places.T], axis=1)
    after = np.clip(np.searchsorted(tracked_s, times), 1, len(tracked_s) - 1)
    place[tracked_s[after] - tracked_s[after - 1] > LONGEST_LOSS_S] = np.nan
    return place


if __name__ == "__main__":
    sys.exit(main())
