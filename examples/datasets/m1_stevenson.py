"""Make recordings of the motor-cortex reaching set that Stevenson and others published.

196 units in M1 and PMd of a macaque that moves its hand in a plane, in bins of 50 ms, with the
hand's velocity and position (Stevenson et al. 2011, J Physiol 589:3291; cite it when you use it).
The archive has the arrays ``spikes`` (n, 196), ``handVel`` and ``handPos`` (n, 3), ``startBinned``
(n,) and ``time`` (n,). The recording has the streams ``spikes``, ``velocity`` and ``position``,
and a marker ``reach`` wherever a reach begins.

Fit on the first 80 %, and stream the rest::

    python examples/datasets/m1_stevenson.py IN.npz fit.xdf --to 0.8
    python examples/datasets/m1_stevenson.py IN.npz rest.xdf --from 0.8
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream, arrays_of, numbered
from aligned import main as convert

BIN_S = 0.05
NEEDED = ("spikes", "handVel", "handPos", "startBinned", "time")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("m1_stevenson", __doc__ or "", read, arguments, ("IN.npz",))


def read(path: Path) -> Aligned:
    """Read one archive.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not this set.
    """
    spikes, velocity, position, begins, times = arrays_of(path, NEEDED)
    if not np.allclose(np.diff(times.astype(np.float64)), BIN_S, atol=0.001):
        raise ValueError(f"{path} has other bins than {BIN_S * 1000:g} ms, or bins missing")
    return Aligned(
        1 / BIN_S,
        times.astype(np.float64),
        [
            Stream("spikes", "Spikes", numbered("unit", spikes.shape[1]), "count", spikes),
            Stream("velocity", "Kinematics", ("vx", "vy"), "m/s", velocity[:, :2]),
            Stream("position", "Kinematics", ("x", "y"), "m", position[:, :2]),
        ],
        {"reaches": [(int(at), "reach") for at in np.flatnonzero(begins)]},
    )


if __name__ == "__main__":
    sys.exit(main())
