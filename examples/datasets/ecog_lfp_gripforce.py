"""Make recordings of the grip-force set that comes with py_neuromodulation (iEEG-BIDS, ``*.vhdr``).

Six ECoG and three subthalamic LFP contacts of a person with Parkinson's disease at 1 kHz, and the
force of the grip (MIT). Whatever is beside ``NAME_ieeg.vhdr`` in ``NAME_channels.tsv`` as MISC is
force. The values of the published copy are a million times too large for its unit; such are divided
by it. The recording has the streams ``ieeg`` in µV and ``force``
without a unit, and in ``grips`` a marker ``grip`` or ``rest`` wherever the force begins to be, or
ends being, more than a fifth of what it rises to, counted from its level at rest::

    python examples/datasets/ecog_lfp_gripforce.py sub-…_ieeg.vhdr grip.xdf
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from aligned import Aligned, Stream
from aligned import main as convert
from numpy.typing import NDArray

from devices.device import DeviceError
from devices.recording.formats import open_recording

LEVEL = 0.2
SHORTEST_S = 0.25
TOO_LARGE_UV = 1e5


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    return convert("ecog_lfp_gripforce", __doc__ or "", read, arguments, ("IN_ieeg.vhdr",))


def read(path: Path) -> Aligned:
    """Read one run.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no BrainVision file, or nothing in it is force.
    """
    table = path.with_name(path.name.removesuffix("_ieeg.vhdr") + "_channels.tsv")
    with table.open(encoding="utf-8-sig") as file:
        types = {row["name"]: row["type"] for row in csv.DictReader(file, delimiter="\t")}
    try:
        recording = open_recording(path)
    except DeviceError as error:
        raise ValueError(str(error)) from error
    try:
        (track, *_) = recording.tracks
        names, rate_hz = track.signal.channels, track.signal.rate_hz
        values = track.read(0, track.n_samples)
        times = track.times(0, track.n_samples)
    finally:
        recording.close()
    if np.median(values.std(axis=0)) > TOO_LARGE_UV:
        values = values * np.float32(1e-6)
    is_force = np.array([types.get(name) == "MISC" for name in names])
    if is_force.sum() != 1:
        raise ValueError(f"{table} names {is_force.sum()} of the channels as MISC, not one")
    force = values[:, is_force]
    brain = tuple(name for name, misc in zip(names, is_force, strict=True) if not misc)
    return Aligned(
        rate_hz,
        times,
        [
            Stream("ieeg", "iEEG", brain, "microvolts", values[:, ~is_force]),
            Stream("force", "Force", ("force",), "", force),
        ],
        {"grips": _grips(force[:, 0], rate_hz)},
    )


def _grips(force: NDArray[np.float32], rate_hz: float) -> list[tuple[float, str]]:
    """Return where grips begin and end; shorter ones than `SHORTEST_S` are none."""
    rest, most = np.percentile(force, [10, 99])
    grips = force > rest + LEVEL * (most - rest)
    edges = np.flatnonzero(np.diff(grips)) + 1
    kept: list[int] = []
    for edge in edges:
        if kept and edge - kept[-1] < SHORTEST_S * rate_hz:
            kept.pop()
        else:
            kept.append(int(edge))
    named = [(0.0, "grip" if grips[0] else "rest")]
    for edge in kept:
        named.append((float(edge), "rest" if named[-1][1] == "grip" else "grip"))
    return named


if __name__ == "__main__":
    sys.exit(main())
