"""Make one recording of several runs of PhysioNet's EEG Motor Movement/Imagery set (``.edf``).

T1 and T2 mean other movements in other runs; in ``cues`` they are named: ``left``, ``right``,
``fists``, ``feet``; and T0 ``rest``. Between the runs samples are missing, so that no filter
reaches from one into the next. The run's number stands at the end of its file's name::

    python examples/datasets/eegmmi.py S001R04.edf S001R06.edf fit.xdf
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import aligned
import numpy as np

from devices.device import DeviceError
from devices.recording.formats import open_recording


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return aligned.main("eegmmi", __doc__ or "", read, arguments, ("IN…",))


def read(*paths: Path) -> aligned.Aligned:
    """Read runs, one after the other.

    Raises
    ------
    ValueError
        One is not of this set, or they differ in their channels.
    """
    parts, cues, first = [], [], 0
    signal = None
    for path in paths:
        names = cues_of(path)
        try:
            file = open_recording(path)
        except DeviceError as error:
            raise ValueError(str(error)) from error
        (track,) = file.tracks
        if signal is not None and track.signal != signal:
            raise ValueError(f"{path} has another rate or other channels than the run before it")
        signal = track.signal
        begin_s = float(track.times(0, 1)[0])
        for markers in file.markers.values():
            cues += [
                (first + (m.time_s - begin_s) * signal.rate_hz, names[m.label])
                for m in markers
                if m.label in names
            ]
        parts.append(track.read(0, track.n_samples).astype(np.float32))
        first += track.n_samples
        file.close()
    if signal is None:
        raise ValueError("there is no run to read")
    lengths = [len(part) for part in parts]
    return aligned.Aligned(
        signal.rate_hz,
        aligned.apart(lengths, signal.rate_hz),
        [aligned.Stream("eeg", "EEG", signal.channels, "microvolts", np.concatenate(parts))],
        {"cues": cues},
        np.cumsum([0, *lengths[:-1]]),
    )


def cues_of(path: Path) -> dict[str, str]:
    """Return what the cues of a run mean, by its number.

    Raises
    ------
    ValueError
        The file's name has no number of a run with cues.
    """
    found = re.search(r"R(\d\d)$", path.stem)
    run = int(found[1]) if found else 0
    if not 3 <= run <= 14:
        raise ValueError(f"{path} is no run with cues: its name must end in R03 to R14")
    one, other = ("left", "right") if (run - 3) // 2 % 2 == 0 else ("fists", "feet")
    return {"T0": "rest", "T1": one, "T2": other}


if __name__ == "__main__":
    sys.exit(main())
