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

import argparse
import sys
from pathlib import Path

import numpy as np

from devices.recording.xdf_writer import XdfStream, XdfWriter

BIN_S = 0.05
CHUNK = 200  # bins, 10 s

NEEDED = ("spikes", "handVel", "handPos", "startBinned", "time")


def main(arguments: list[str] | None = None) -> int:
    """Convert; return the exit code."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("archive", type=Path, metavar="IN.npz")
    parser.add_argument("recording", type=Path, metavar="OUT.xdf", help="must not exist yet")
    parser.add_argument("--from", type=_share, default=0.0, dest="start", help="share to begin at")
    parser.add_argument("--to", type=_share, default=1.0, dest="stop", help="share to end at")
    parser.add_argument(
        "--part", type=_part, metavar="first:SHARE|last:SHARE", help="instead of --from and --to"
    )
    options = parser.parse_args(arguments)
    start, stop = options.part or (options.start, options.stop)
    if not start < stop:
        parser.error(f"nothing lies between --from {start:g} and --to {stop:g}")
    try:
        n_bins, n_reaches = convert(options.archive, options.recording, start, stop)
    except (OSError, ValueError) as error:
        print(f"m1_stevenson: {error}", file=sys.stderr)
        return 1
    print(f"{options.recording}: {n_bins} bins of {BIN_S * 1000:g} ms, {n_reaches} reaches")
    return 0


def convert(archive: Path, recording: Path, start: float, stop: float) -> tuple[int, int]:
    """Write the bins from the share `start` up to but without `stop`; return bins and reaches.

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
        n = len(arrays["time"])
        cut = slice(round(start * n), round(stop * n))
        spikes, velocity, position, begins, times = (arrays[name][cut] for name in NEEDED)
    if not np.allclose(np.diff(times), BIN_S, atol=0.001):
        raise ValueError(f"{archive} has other bins than {BIN_S * 1000:g} ms, or bins missing")
    n_units = spikes.shape[1]
    with XdfWriter.create(recording) as xdf:
        streams = [
            (_stream("spikes", "Spikes", "int16", _units(n_units), "count"), spikes),
            (_stream("velocity", "Kinematics", "double64", ("vx", "vy"), "m/s"), velocity[:, :2]),
            (_stream("position", "Kinematics", "double64", ("x", "y"), "m"), position[:, :2]),
        ]
        numbers = [xdf.add_stream(stream) for stream, _ in streams]
        reaches = xdf.add_stream(XdfStream("reaches", "Markers", "string", ("label",)))
        for first in range(0, len(times), CHUNK):
            rows = slice(first, first + CHUNK)
            for number, (stream, values) in zip(numbers, streams, strict=True):
                dtype = np.float64 if stream.format == "double64" else np.int16
                xdf.write(number, np.ascontiguousarray(values[rows], dtype), times[rows])
            onsets = times[rows][begins[rows] > 0]
            xdf.write_texts(reaches, ["reach"] * len(onsets), onsets)
    return len(times), int(np.count_nonzero(begins))


def _stream(
    name: str, kind: str, number_format: str, channels: tuple[str, ...], unit: str
) -> XdfStream:
    return XdfStream(name, kind, number_format, channels, unit, 1 / BIN_S)  # type: ignore[arg-type]


def _units(n_units: int) -> tuple[str, ...]:
    return tuple(f"unit{i + 1:03d}" for i in range(n_units))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


def _part(text: str) -> tuple[float, float]:
    which, _, share = text.partition(":")
    if which not in ("first", "last"):
        raise argparse.ArgumentTypeError(f"{text!r} begins with neither first: nor last:")
    return (0.0, _share(share)) if which == "first" else (1 - _share(share), 1.0)


if __name__ == "__main__":
    sys.exit(main())
