"""Make recordings of the MATLAB files that come with OpenBMI (``cnt_*.mat``).

A file holds one struct with ``x``, samples × channels in µV; ``fs``; ``chan``; and ``t`` and
``y_class``, the sample of each cue and its class. The recording has the stream ``eeg``, and
``cues`` with the classes::

    python examples/datasets/openbmi.py cnt_p300_off.mat flashes.xdf
"""

from __future__ import annotations

import sys
from pathlib import Path

import cued_eeg
import numpy as np

NEEDED = ("t", "fs", "y_class", "chan", "x")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return cued_eeg.main("openbmi", __doc__ or "", read, arguments)


def read(path: Path) -> cued_eeg.CuedEeg:
    """Read one file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not of this set.
    """
    from scipy.io import loadmat

    held = {k: v for k, v in loadmat(path, simplify_cells=True).items() if k[:2] != "__"}
    struct = next((v for v in held.values() if isinstance(v, dict)), {})
    if missing := [name for name in NEEDED if name not in struct]:
        raise ValueError(f"{path} has no struct with {missing[0]!r}; it has {', '.join(held)}")
    values = np.atleast_2d(struct["x"].T).T
    at = np.asarray(struct["t"], float) - 1  # MATLAB counts from 1
    return cued_eeg.CuedEeg(
        float(struct["fs"]),
        tuple(map(str, np.atleast_1d(struct["chan"]))),
        values,
        list(zip(at.tolist(), map(str, struct["y_class"]), strict=True)),
    )


if __name__ == "__main__":
    sys.exit(main())
