"""Make recordings of the field potentials that come with NeuroDSP (``sample_data_*.npy``).

One channel in µV at 1 kHz: 10 s of the motor cortex of a person with Parkinson's disease, with
bursts of beta (Cole et al. 2017), and 150 s of the hippocampus of a rat, with theta (CRCNS hc-2).
There are no labels. The recording has the stream ``lfp``::

    python examples/datasets/lfp_neurodsp.py sample_data_1.npy lfp.xdf
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream
from aligned import main as convert

RATE_HZ = 1000.0


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("lfp_neurodsp", __doc__ or "", read, arguments, ("IN.npy",))


def read(path: Path) -> Aligned:
    """Read one array.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no row of numbers.
    """
    values = np.load(path)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {values.dtype} of shape {values.shape}, no row of numbers")
    times = np.arange(len(values)) / RATE_HZ
    samples = values[:, np.newaxis].astype(np.float32)
    return Aligned(RATE_HZ, times, [Stream("lfp", "LFP", ("lfp",), "microvolts", samples)])


if __name__ == "__main__":
    sys.exit(main())
