"""Kill a recorder at random moments; see if a file is unreadable or lost what was acknowledged.

    python benchmarks/record_kill.py [--count 200] [--seed 0] [--folder DIR]

A process records in real time, says after each turn how many samples were acknowledged, and is
killed with SIGKILL at a random moment. Then pyxdf must open what is there, `verify` must find
nothing damaged, every sample must be what it was, at least those that were acknowledged must be
there, and `recover` must make a clean file of it.
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyxdf
from numpy.typing import NDArray

from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from devices.clock import MONOTONIC
from devices.recording.recover import recover
from devices.recording.verify import verify
from devices.signal import Chunk, Marker, Signal

CHUNK_S = 0.01
SIGNALS = (
    Signal(1000.0, tuple(f"c{i}" for i in range(64)), "uV"),
    Signal(2000.0, tuple(f"c{i}" for i in range(256)), "uV"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kill left.

    Parameters
    ----------
    acknowledged, kept
        Samples.
    problem
        What is wrong; empty if nothing is.
    """

    acknowledged: int
    kept: int
    problem: str = ""


def values_of(first: int, n: int, n_channels: int) -> NDArray[np.float32]:
    """Return samples that tell which they are."""
    rows = np.arange(first, first + n, dtype=np.float32)[:, None]
    return rows + np.arange(n_channels, dtype=np.float32) / 1024


def record_forever(signal_: Signal, folder: Path, acknowledged: mmap.mmap) -> None:
    """Record until killed; the number of acknowledged samples stands in shared memory."""
    counter = np.frombuffer(acknowledged, np.int64)
    content = Content("kill", "none", signal_, has_sender_times=True)
    recorder = Recorder(Record(participant="bench", folder=str(folder)), content, MONOTONIC)
    recorder.start_and_wait()
    n, first = round(CHUNK_S * signal_.rate_hz), 0
    start_s = time.monotonic()
    while True:
        while (now_s := time.monotonic()) < start_s + first / signal_.rate_hz:
            counter[0] = recorder.state.n_samples  # as fresh as can be
            MONOTONIC.sleep_until(now_s + 5e-4)
        times = (first + np.arange(n)) / signal_.rate_hz
        markers = (Marker(float(times[0]), f"m{first}"),) if first % (10 * n) == 0 else ()
        chunk = Chunk(times, values_of(first, n, signal_.n_channels))
        recorder.take(chunk, times + 1e5, markers, (), None, time.monotonic())
        recorder.turn(time.monotonic())
        counter[0] = recorder.state.n_samples
        first += n


def kill_once(signal_: Signal, folder: Path, after_s: float) -> Outcome:
    """Start a recording, kill it `after_s` after its first bytes, and look at what is left."""
    acknowledged = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        try:
            record_forever(signal_, folder, acknowledged)
        finally:
            os._exit(1)
    deadline_s = time.monotonic() + 30
    files: list[Path] = []
    while not files and time.monotonic() < deadline_s:
        time.sleep(1e-4)
        files = [file for file in folder.rglob("*.xdf") if file.stat().st_size]
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    n_acknowledged = int(np.frombuffer(acknowledged, np.int64)[0])
    if not files:
        return Outcome(n_acknowledged, 0, "no file appeared")
    return judge(files[0], signal_, n_acknowledged)


def judge(path: Path, signal_: Signal, n_acknowledged: int) -> Outcome:
    """Say what is left of a recording, and what is wrong with it."""
    report = verify(path)
    if not report.streams:  # killed before the first header was whole
        return Outcome(n_acknowledged, 0, "acknowledged samples are lost" if n_acknowledged else "")
    kept = report.streams[0].n_samples
    if report.verdict != "unfinished":
        return Outcome(n_acknowledged, kept, f"the verdict is {report.verdict}: {report.damages}")
    if kept < n_acknowledged:
        return Outcome(n_acknowledged, kept, "acknowledged samples are lost")
    for candidate, is_whole in ((path, False), (path.with_name("recovered.xdf"), True)):
        if is_whole:
            recover(path, candidate)
            if (again := verify(candidate)).verdict != "clean":
                return Outcome(n_acknowledged, kept, f"recovered: {again.verdict}")
        with contextlib.redirect_stderr(None):
            streams, _ = pyxdf.load_xdf(
                candidate, synchronize_clocks=False, dejitter_timestamps=False, verbose=False
            )
        values = streams[0]["time_series"][:kept]  # a reader may make something of the torn end
        if not np.array_equal(values, values_of(0, kept, signal_.n_channels)):
            return Outcome(n_acknowledged, kept, "samples are not what they were")
    return Outcome(n_acknowledged, kept)


def run(signal_: Signal, count: int, seed: int, folder: Path) -> list[Outcome]:
    """Kill `count` recordings."""
    rng = np.random.default_rng(seed)
    outcomes = []
    for i in range(count):
        work = folder / f"kill-{signal_.n_channels}-{i}"
        work.mkdir()
        outcomes.append(kill_once(signal_, work, float(rng.uniform(0.0, 0.6))))
        if not outcomes[-1].problem:
            shutil.rmtree(work)
    return outcomes


def main() -> int:
    """Print the table; the exit code is 1 if any file was unreadable or lost what it had."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="bci-kill-"))
    print(
        f"{'recording':<20}{'killed':>8}{'readable':>10}{'acknowledged':>14}{'kept':>10}{'lost':>6}"
    )
    is_bad = False
    for signal_ in SIGNALS:
        outcomes = run(signal_, args.count, args.seed, folder)
        bad = [o for o in outcomes if o.problem]
        is_bad |= bool(bad)
        lost = sum(max(0, o.acknowledged - o.kept) for o in outcomes)
        name = f"{signal_.n_channels} ch x {signal_.rate_hz:g} Hz"
        acknowledged, kept = (
            sum(getattr(o, what) for o in outcomes) for what in ("acknowledged", "kept")
        )
        print(
            f"{name:<20}{len(outcomes):>8}{len(outcomes) - len(bad):>10}"
            f"{acknowledged:>14}{kept:>10}{lost:>6}",
            flush=True,
        )
        for outcome in bad:
            print(f"  {outcome}")
    if args.folder is None and not is_bad:
        shutil.rmtree(folder)
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
