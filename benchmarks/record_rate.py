"""How fast a recording can be: 3,072 channels at 20 kHz, against what the disk itself takes.

    python benchmarks/record_rate.py [--folder .] [--seconds 20] [--channels 3072] [--rate 20000]

The samples are int16 in chunks of 1 ms, fed to the recorder as the loop feeds it: in real time
first, by absolute deadlines, then as fast as it takes them. *Disk* is what plain writes of 1 MiB
with a synchronisation each second reach in the same folder. Both include the synchronisations.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from devices.clock import MONOTONIC
from devices.recording.checksums import read_checksums
from devices.signal import Chunk, Signal

CHUNK_S = 1e-3


def disk_rate(folder: Path, n_bytes: int) -> float:
    """Return how many bytes a second plain writes reach."""
    block = np.random.default_rng(0).bytes(1 << 20)
    path = folder / "plain"
    start_s = synced_s = time.monotonic()
    with open(path, "xb", buffering=0) as file:
        for _ in range(n_bytes >> 20):
            file.write(block)
            if time.monotonic() - synced_s > 1:
                os.fdatasync(file.fileno())
                synced_s = time.monotonic()
        os.fdatasync(file.fileno())
    rate = n_bytes / (time.monotonic() - start_s)
    path.unlink()
    return rate


def recorder_rate(
    folder: Path, n_channels: int, rate_hz: float, seconds: float, *, is_paced: bool
) -> dict[str, float]:
    """Record `seconds` of samples; return what came of it."""
    signal = Signal(rate_hz, tuple(f"c{i}" for i in range(n_channels)), "uV")
    record = Record(participant="bench", folder=str(folder), buffer_s=5.0)
    recorder = Recorder(record, Content("rate", "none", signal, format="int16"), MONOTONIC)
    recorder.start_and_wait()
    n = round(CHUNK_S * rate_hz)
    n_chunks = round(seconds / CHUNK_S)
    values = np.random.default_rng(0).integers(-500, 500, (n, n_channels)).astype(np.int16)
    times = np.arange(n) / rate_hz
    fullest, slowest_s = 0.0, 0.0
    cpu_s, start_s = time.process_time(), time.monotonic()
    for i in range(n_chunks):
        if is_paced:
            MONOTONIC.sleep_until(start_s + i * CHUNK_S)
        else:
            while recorder.ring_use > 0.9:
                time.sleep(1e-3)
        before_s = time.monotonic()
        recorder.take(Chunk(times + i * CHUNK_S, values), None, (), (), None, before_s)
        recorder.turn(before_s)
        slowest_s = max(slowest_s, time.monotonic() - before_s)
        fullest = max(fullest, recorder.ring_use)
    path = recorder.state.path
    assert path is not None
    recorder.close("ended", "", 300.0)
    took_s, cpu_s = time.monotonic() - start_s, time.process_time() - cpu_s
    sums = read_checksums(path)
    assert sums is not None
    n_kept = int(sums.records["n_samples"][sums.records["stream"] == 1].sum())
    path.unlink()
    return {
        "rate": n_kept * n_channels * 2 / took_s,
        "lost": n_chunks * n - n_kept,
        "cpu": cpu_s / took_s,
        "fullest": fullest,
        "slowest_ms": 1e3 * slowest_s,
    }


def main() -> int:
    """Print the table; the exit code is 1 if samples were lost that the disk could have taken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--channels", type=int, default=3072)
    parser.add_argument("--rate", type=float, default=20_000.0)
    args = parser.parse_args()
    wanted = args.channels * args.rate * 2
    folder = Path(tempfile.mkdtemp(prefix="bci-rate-", dir=args.folder))
    try:
        disk = disk_rate(folder, round(min(wanted * args.seconds, 2e9)))
        paced = recorder_rate(folder, args.channels, args.rate, args.seconds, is_paced=True)
        free = recorder_rate(folder, args.channels, args.rate, args.seconds, is_paced=False)
    finally:
        shutil.rmtree(folder)
    print(f"wanted: {args.channels} ch x {args.rate:g} Hz int16 = {wanted / 1e6:.1f} MB/s")
    print(f"disk:   {disk / 1e6:.1f} MB/s")
    print(f"{'recorder':<12}{'MB/s':>8}{'lost':>10}{'cores':>8}{'ring':>7}{'slowest take':>15}")
    for name, row in (("real time", paced), ("at most", free)):
        print(
            f"{name:<12}{row['rate'] / 1e6:>8.1f}{row['lost']:>10.0f}{row['cpu']:>8.2f}"
            f"{row['fullest']:>7.0%}{row['slowest_ms']:>12.2f} ms"
        )
    limit = "the rate that was wanted" if wanted <= disk else "the disk's own rate"
    print(f"The lower of both, and so the limit, is {limit}.")
    return int(wanted <= disk and paced["lost"] > 0)


if __name__ == "__main__":
    sys.exit(main())
