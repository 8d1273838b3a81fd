"""Make recordings of the two macaques' reaches that come with DAD (Dyer et al. 2017; cite it).

Units in M1 of Mihi (``mihi_demo.mat``) and Chewie (``*.npz``) while they reach for targets, in
bins, with the velocity of the hand. A file has ``Y`` (n, units), counts; ``X`` (n, 2), the
velocity; and ``T`` (n, 1), the target. The MATLAB file has two such sets, ``Ytr`` … and, asked for
with ``--test``, ``Yte`` …, whose units are others. The recording has the streams ``spikes`` and
``velocity``, and a marker with the target's number where each reach begins: where the target
changes. Time is missing between reaches. Neither how long the bins are nor the unit of the velocity
is said; here a bin is called 100 ms, and the velocity has no unit::

    python examples/datasets/m1_dad.py chewie_tr.npz fit.xdf --to 0.8
    python examples/datasets/m1_dad.py chewie_tr.npz rest.xdf --from 0.8
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream, apart, arrays_of, numbered
from aligned import main as convert

BIN_S = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("m1_dad", __doc__ or "", read, arguments, ("IN",), {"test": read_test})


def read(path: Path) -> Aligned:
    """Read a file, of a MATLAB file the first set.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not of this set.
    """
    return _read(path, "tr" if path.suffix == ".mat" else "")


def read_test(path: Path) -> Aligned:
    """Convert the second set of the MATLAB file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not of this set.
    """
    return _read(path, "te")


def _read(path: Path, which: str) -> Aligned:
    counts, velocity, targets = arrays_of(path, [f"{name}{which}" for name in "YXT"])
    targets = targets.ravel().astype(np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(targets)) + 1])
    lengths = np.diff(np.append(starts, len(targets)))
    whole = np.rint(counts.astype(np.float64)).astype(np.int16)
    return Aligned(
        1 / BIN_S,
        apart(lengths.tolist(), 1 / BIN_S),
        [
            Stream("spikes", "Spikes", numbered("unit", counts.shape[1]), "count", whole),
            Stream("velocity", "Kinematics", ("vx", "vy"), "", velocity),
        ],
        {"targets": [(int(at), str(targets[at])) for at in starts]},
        starts,
    )


if __name__ == "__main__":
    sys.exit(main())
