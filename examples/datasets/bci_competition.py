"""Make recordings of the cut-out trials of the BCI competitions, as arrays (``*.npz``).

An archive has ``X`` (trials, channels, samples) in µV, ``y`` (the class of each trial), ``fs`` in
Hz, and may have ``ch_names``. In the recording there are samples missing after each trial, so that
no filter and no window reaches from one into the next; the first sample of each is marked in
``cues`` with its class::

    python examples/datasets/bci_competition.py SelfRegulationSCP1_train.npz scp1.xdf
"""

from __future__ import annotations

import sys
from pathlib import Path

import cued_eeg
import numpy as np

NEEDED = ("X", "y", "fs")
PAUSE_S = 10.0  # readers of XDF even stamps out over less than 500 samples


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return cued_eeg.main("bci_competition", __doc__ or "", read, arguments)


def read(path: Path) -> cued_eeg.CuedEeg:
    """Read one archive.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is not of this layout.
    """
    with np.load(path) as arrays:
        if missing := [name for name in NEEDED if name not in arrays]:
            raise ValueError(f"{path} has no array {missing[0]!r}; it has {', '.join(arrays)}")
        x, classes, rate_hz = arrays["X"], arrays["y"], float(arrays["fs"])
        n_trials, n_channels, n = x.shape
        names = arrays["ch_names"] if "ch_names" in arrays else np.arange(n_channels) + 1
    begins = np.arange(n_trials) * n
    return cued_eeg.CuedEeg(
        rate_hz,
        tuple(str(name) if isinstance(name, str) else f"ch{name}" for name in names.tolist()),
        x.transpose(0, 2, 1).reshape(-1, n_channels),
        list(zip(begins.tolist(), map(str, classes), strict=True)),
        PAUSE_S,
        n,
    )


if __name__ == "__main__":
    sys.exit(main())
