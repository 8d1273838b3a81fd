"""Make recordings of the eight-direction reaching set of the Shenoy lab (Imperial College's copy).

98 units in the motor cortex of a macaque that reaches for one of eight targets, in bins of 20 ms,
with the position of its hand. The archive has the arrays ``counts_20ms`` (n, 98), ``hand_pos_mm``
(n, 3), ``direction`` (n,) and ``trial`` (n,). The recording has the streams ``spikes``,
``velocity`` (what the hand covered in the bin, in mm/s) and ``position``, and a marker ``1`` to
``8`` at the first bin of each trial; time is missing between trials, as in the archive. The archive
is sorted by direction; here the directions take turns, so that every part holds all of them.

Fit on the first 80 %, and stream the rest::

    python examples/datasets/reach_shenoy.py IN.npz fit.xdf --to 0.8
    python examples/datasets/reach_shenoy.py IN.npz rest.xdf --from 0.8
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recording.xdf_writer import XdfStream, XdfWriter

BIN_S = 0.02
PAUSE_S = 12.0  # readers of XDF even stamps out over less than 500 samples
NEEDED = ("counts_20ms", "hand_pos_mm", "direction", "trial")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="reach_shenoy", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("archive", type=Path, metavar="IN.npz")
    parser.add_argument("recording", type=Path, metavar="OUT.xdf", help="must not exist yet")
    parser.add_argument("--from", type=_share, default=0.0, dest="start", help="share to begin at")
    parser.add_argument("--to", type=_share, default=1.0, dest="stop", help="share to end at")
    options = parser.parse_args(arguments)
    if not options.start < options.stop:
        parser.error(f"nothing lies between --from {options.start:g} and --to {options.stop:g}")
    try:
        n_trials, n_bins = convert(options.archive, options.recording, options.start, options.stop)
    except (OSError, ValueError) as error:
        print(f"reach_shenoy: {error}", file=sys.stderr)
        return 1
    print(f"{options.recording}: {n_trials} reaches, {n_bins} bins of {BIN_S * 1000:g} ms")
    return 0


def convert(archive: Path, recording: Path, start: float, stop: float) -> tuple[int, int]:
    """Write the trials from the share `start` up to `stop`; return how many, and their bins.

    Raises
    ------
    OSError
        The archive cannot be read, or the recording exists.
    ValueError
        The archive is not this set.
    """
    with np.load(archive) as arrays:
        if missing := [name for name in NEEDED if name not in arrays]:
            raise ValueError(f"{archive} has no array {missing[0]!r}; it has {', '.join(arrays)}")
        counts, position, directions, trials = (arrays[name] for name in NEEDED)
    order = _in_turns(directions, trials)
    order = order[round(start * len(order)) : round(stop * len(order))]
    with XdfWriter.create(recording) as xdf:
        units = tuple(f"unit{i + 1:02d}" for i in range(counts.shape[1]))
        spikes, velocity, place = (
            xdf.add_stream(stream)
            for stream in (
                XdfStream("spikes", "Spikes", "int16", units, "count", 1 / BIN_S),
                XdfStream("velocity", "Kinematics", "double64", ("vx", "vy"), "mm/s", 1 / BIN_S),
                XdfStream("position", "Kinematics", "double64", ("x", "y"), "mm", 1 / BIN_S),
            )
        )
        targets = xdf.add_stream(XdfStream("targets", "Markers", "string", ("label",)))
        begin_s, n_bins = 0.0, 0
        for rows in order:
            times = begin_s + np.arange(len(rows)) * BIN_S
            hand = position[rows, :2].astype(np.float64)
            moved = np.diff(hand, axis=0, prepend=hand[:1]) / BIN_S
            xdf.write(spikes, np.ascontiguousarray(counts[rows], np.int16), times)
            xdf.write(velocity, np.ascontiguousarray(moved), times)
            xdf.write(place, np.ascontiguousarray(hand), times)
            xdf.write_texts(targets, [str(directions[rows[0]])], times[:1])
            begin_s, n_bins = float(times[-1]) + PAUSE_S, n_bins + len(rows)
    return len(order), n_bins


def _in_turns(
    directions: NDArray[np.integer], trials: NDArray[np.integer]
) -> list[NDArray[np.intp]]:
    """Return the rows of each trial: the first of each direction, then the second of each."""
    keys = [(trial, direction) for direction, trial in zip(directions, trials, strict=True)]
    seen: dict[int, int] = {}
    ranked = []
    for trial, direction in dict.fromkeys(keys):
        rank = seen[int(direction)] = seen.get(int(direction), -1) + 1
        ranked.append((rank, int(direction), int(trial)))
    return [np.flatnonzero((trials == t) & (directions == d)) for _, d, t in sorted(ranked)]


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
