"""Make recordings of the eight-direction reaching set of the Shenoy lab (Imperial College's copy).

98 units in the motor cortex of a macaque that reaches for one of eight targets, in bins of 20 ms,
with the position of its hand. The archive has the arrays ``counts_20ms`` (n, 98), ``hand_pos_mm``
(n, 3), ``direction`` (n,) and ``trial`` (n,). The recording has the streams ``spikes``,
``velocity`` (what the hand covered in the bin, in mm/s) and ``position``, and a marker ``1`` to
``8`` at the first bin of each trial; time is missing between trials, as in the archive. The archive
is sorted by direction; here the directions take turns, so that every part holds all of them.

With ``--plan`` the recording has what came before the movement: the stream ``plan`` with one bin of
300 ms a trial, from ``plan_counts_300ms``, and the marker of its direction at each bin.

Fit on the first 80 %, and stream the rest::

    python examples/datasets/reach_shenoy.py IN.npz fit.xdf --to 0.8
    python examples/datasets/reach_shenoy.py IN.npz rest.xdf --from 0.8
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream, apart, arrays_of, numbered
from aligned import main as convert
from numpy.typing import NDArray

BIN_S = 0.02
PLAN_S = 0.3
NEEDED = ("counts_20ms", "hand_pos_mm", "direction", "trial")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("reach_shenoy", __doc__ or "", read, arguments, ("IN.npz",), {"plan": read_plan})


def read(path: Path) -> Aligned:
    """Read the movements.

    Raises
    ------
    OSError
        The archive cannot be read.
    ValueError
        It is not this set.
    """
    counts, position, directions, trials = arrays_of(path, NEEDED)
    order = _in_turns(directions, trials)
    rows = np.concatenate(order)
    lengths = [len(trial) for trial in order]
    hands = [position[trial, :2].astype(np.float64) for trial in order]
    moved = [np.diff(hand, axis=0, prepend=hand[:1]) / BIN_S for hand in hands]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return Aligned(
        1 / BIN_S,
        apart(lengths, 1 / BIN_S),
        [
            Stream("spikes", "Spikes", numbered("unit", counts.shape[1]), "count", counts[rows]),
            Stream("velocity", "Kinematics", ("vx", "vy"), "mm/s", np.concatenate(moved)),
            Stream("position", "Kinematics", ("x", "y"), "mm", np.concatenate(hands)),
        ],
        {"targets": [(int(at), str(directions[rows[at]])) for at in starts]},
        starts,
    )


def read_plan(path: Path) -> Aligned:
    """Convert what came before the movements instead, one bin of 300 ms a trial.

    Raises
    ------
    OSError
        The archive cannot be read.
    ValueError
        It is not this set.
    """
    needed = ("plan_counts_300ms", "plan_direction", "plan_trial")
    counts, directions, trials = arrays_of(path, needed)
    order = np.concatenate(_in_turns(directions, trials))
    return Aligned(
        1 / PLAN_S,
        np.arange(len(order)) * PLAN_S,
        [Stream("plan", "Spikes", numbered("unit", counts.shape[1]), "count", counts[order])],
        {"targets": [(at, str(directions[row])) for at, row in enumerate(order)]},
    )


def _in_turns(
    directions: NDArray[np.generic], trials: NDArray[np.generic]
) -> list[NDArray[np.intp]]:
    """Return the rows of each trial: the first of each direction, then the second of each."""
    keys = list(zip(trials.tolist(), directions.tolist(), strict=True))
    seen: dict[int, int] = {}
    ranked = []
    for trial, direction in dict.fromkeys(keys):
        rank = seen[direction] = seen.get(direction, -1) + 1
        ranked.append((rank, direction, trial))
    return [np.flatnonzero((trials == t) & (directions == d)) for _, d, t in sorted(ranked)]


if __name__ == "__main__":
    sys.exit(main())
