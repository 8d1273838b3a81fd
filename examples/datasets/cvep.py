"""Make recordings of cut-out c-VEP trials, as arrays (``*.npz``).

An archive has ``X_uV`` (trials, channels, samples) in µV; ``y``, which code was looked at in each
trial; ``V`` (codes, samples), one cycle of each code; and ``fs`` in Hz. In the recording there are
samples missing after each trial, so that no filter reaches from one into the next; the first
sample of each is marked in ``cues`` with the number of its code, from 1::

    python examples/datasets/cvep.py cvep_24trials.npz cvep.xdf
    python examples/datasets/cvep.py cvep_24trials.npz --codes      # for the session file
"""

from __future__ import annotations

import sys
from pathlib import Path

import cued_eeg
import numpy as np

NEEDED = ("X_uV", "y", "V", "fs")
CODE_RATE_HZ = 60.0  # of the screen
PAUSE_S = 10.0  # readers of XDF even stamps out over less than 500 samples


def main(arguments: list[str] | None = None) -> int:
    """Convert, or print the codes; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--codes" in words:
        return print_codes(Path(next(word for word in words if word != "--codes")))
    return cued_eeg.main("cvep", __doc__ or "", read, arguments)


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
        x, looked_at, rate_hz = arrays["X_uV"], arrays["y"], float(arrays["fs"])
    n_trials, n_channels, n = x.shape
    begins = np.arange(n_trials) * n
    return cued_eeg.CuedEeg(
        rate_hz,
        tuple(f"ch{i + 1}" for i in range(n_channels)),
        x.transpose(0, 2, 1).reshape(-1, n_channels),
        [(int(at), str(k + 1)) for at, k in zip(begins, looked_at, strict=True)],
        PAUSE_S,
        n,
    )


def print_codes(path: Path) -> int:
    """Print one cycle of each code, a digit a bit, as the session file has them."""
    with np.load(path) as arrays:
        step = round(float(arrays["fs"]) / CODE_RATE_HZ)
        for number, code in enumerate(arrays["V"][:, ::step], 1):
            print(f'{number} = "{"".join(map(str, code))}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
