"""Make a large recording, and measure what it costs to open it and to go to a place in it.

    python benchmarks/big_recording.py [--gigabytes 4] [--folder FOLDER]

The file is laid out as the recorder lays it out: 64 channels of 1 kHz, a chunk every 20 ms with
the row that tells of it, what was decoded, now and then a marker. It is opened with its checksums
and without them, as a replay and as a recording of any kind, each in a process of its own; the
memory is the most that the process ever had, less what it had before it opened the file. *Cold*
is with nothing of the file in memory, where the system lets it be dropped (`posix_fadvise`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content, Said
from decoders.output import Prediction
from devices.clock import MONOTONIC
from devices.recording.checked_file import CheckedFile
from devices.recording.checksums import sidecar_of
from devices.recording.recorded import Turn
from devices.signal import Marker, Signal

_RATE_HZ, _N_CHANNELS, _CHUNK = 1000.0, 64, 20


def make_recording(path: Path, n_bytes: int) -> None:
    """Write a recording of at least so many bytes."""
    signal = Signal(_RATE_HZ, tuple(f"C{i}" for i in range(_N_CHANNELS)), "uV")
    content = Content("big", "amp", signal, about={"model": "none"})
    recording = RecordingFile(CheckedFile(path), content, 0.0)
    values = np.random.default_rng(0).normal(0, 20, (_CHUNK, _N_CHANNELS)).astype(np.float32)
    said = (Prediction(("a", "b"), (0.25, 0.75)),)
    first = 0
    while recording.file.size < n_bytes:
        times = 1000.0 + np.arange(first, first + _CHUNK) / _RATE_HZ
        received_s = float(times[-1]) + 0.002
        cues = (Marker(float(times[0]), "go"),) if first % 5000 == 0 else ()
        recording.write(Turn(first, values, times, None, False, received_s, cues))
        first += _CHUNK
        if first % 100 == 0:
            recording.write(Said(first - 1, float(times[-1]), said, ()))
    recording.end(received_s, "ended", "")


def measure(path: Path, kind: str) -> dict[str, float]:
    """Open a recording as a device of `kind`, and go to five places in it."""
    from devices.adapters.recording import Recording
    from devices.adapters.replay import Replay

    before_mb = _most_mb()
    begun_s = MONOTONIC.now()
    device = Replay(str(path), np.inf) if kind == "replay" else Recording(str(path), speed=np.inf)
    with device.open() as stream:
        stream.read(0.0)
        open_s = MONOTONIC.now() - begun_s
        first = stream.recorded if kind == "replay" else None
        track = None if first is not None else stream._track
        span_s = (
            float(np.ptp(first.received_s))
            if first is not None
            else float(track.times(track.n_samples - 1, track.n_samples)[0] - track.times(0, 1)[0])
        )
        seeks = []
        for share in (0.5, 0.99, 0.1, 0.75, 0.3):
            begun_s = MONOTONIC.now()
            if first is not None:
                next(first.turns(first.turn_at(share * span_s)))
            else:
                at = track.index_at(float(track.times(0, 1)[0]) + share * span_s)
                track.read(at, at + 20)
            seeks.append(MONOTONIC.now() - begun_s)
    most_mb = _most_mb()
    return {
        "open_s": open_s,
        "seek_s": max(seeks),
        "most_mb": most_mb,
        "own_mb": most_mb - before_mb,
    }


def main() -> int:
    """Make the file, measure, print, remove it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, help="where there is room; default: temporary files")
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "KIND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(Path(options.measure[0]), options.measure[1])))
        return 0
    with tempfile.TemporaryDirectory(prefix="big-", dir=options.folder) as folder:
        path = Path(folder, "big.xdf")
        make_recording(path, round(options.gigabytes * 1e9))
        sums_mb = sidecar_of(path).stat().st_size / 1e6
        print(f"{path.stat().st_size / 1e9:.2f} GB, and {sums_mb:.0f} MB of checksums")
        print(f"{'':34}{'open s':>8}{'seek s':>8}{'memory MB':>11}{'of it ours':>12}")
        is_good = _table(path, "with checksums")
        sidecar_of(path).rename(path.with_suffix(".away"))
        _table(path, "without")
    print("within 1 s, 0.2 s and 300 MB" if is_good else "NOT within 1 s, 0.2 s and 300 MB")
    return 0 if is_good else 1


def _table(path: Path, what: str) -> bool:
    is_good = True
    for kind in ("replay", "recording"):
        for heat in ("cold", "warm"):
            if heat == "cold":
                _drop(path)
                if sidecar_of(path).exists():
                    _drop(sidecar_of(path))
            command = [sys.executable, __file__, "--measure", str(path), kind]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            m = json.loads(output)
            print(f"{f'{kind}, {what}, {heat}':34}{m['open_s']:8.3f}{m['seek_s']:8.4f}"
                  f"{m['most_mb']:11.0f}{m['own_mb']:12.0f}", flush=True)  # fmt: skip
            is_good &= m["open_s"] < 1 and m["seek_s"] < 0.2 and m["most_mb"] < 300
    return is_good


def _drop(path: Path) -> None:
    """Let the system forget what it holds of a file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _most_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    sys.exit(main())
