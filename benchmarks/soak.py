"""Random faults for as long as is asked: no command may be unsafe, and no process may grow.

First every kind of fault; then, for two thirds of the time, only those that leave the processes
alive. Over the last third a line is fitted to the memory of each process.

    python benchmarks/soak.py --minutes 30
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.fault_deeds import DEEDS  # noqa: E402 - found by the line above
from benchmarks.fault_line import FaultLine, running  # noqa: E402 - found by the line above
from benchmarks.line import lsl_of_its_own  # noqa: E402
from benchmarks.safety_faults import Tally, plan  # noqa: E402

MOST_GROWTH_MIB_H = 1.0
_KILLS = ("web process killed", "sender killed")
_SAMPLE_S = 2.0


@dataclass
class Soaked:
    """What a soak showed.

    Parameters
    ----------
    tally
        Each fault, and after how long the effector was neutral.
    report
        The oracle's counts.
    growth
        By process: MiB an hour, and its standard error.
    """

    tally: Tally
    report: dict[str, Any] = field(default_factory=dict)
    growth: dict[str, tuple[float, float]] = field(default_factory=dict)


async def _watch(line: FaultLine, rows: dict[str, list[tuple[float, float]]]) -> None:
    """Note the memory of each process, every few seconds."""
    processes = {
        "engine": line.engine(),
        "web": line.web(),
        "supervisor": psutil.Process(line.server.process.pid),
    }
    while True:
        for name, process in tuple(processes.items()):
            try:
                mib = process.memory_info().rss / 2**20
            except psutil.NoSuchProcess:  # another one counts from here
                rows[name].clear()
                with suppress(ValueError):
                    processes[name] = line.engine()
                continue
            rows.setdefault(name, []).append((time.monotonic(), mib))
        await asyncio.sleep(_SAMPLE_S)


def growth(rows: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the slope of memory over the later half, and its standard error, in MiB an hour."""
    times, mib = np.array(rows[len(rows) // 2 :]).T
    if len(times) < 4:
        return np.nan, np.nan
    (slope, _), covariance = np.polyfit(times - times[0], mib, 1, cov=True)
    return 3600.0 * float(slope), 3600.0 * float(np.sqrt(covariance[0, 0]))


async def soak(folder: Path, seconds: float, hop_s: float, pause_s: float, seed: int) -> Soaked:
    """Harm the line for so long.

    Parameters
    ----------
    folder
        For its files.
    seconds
        How long.
    hop_s
        Between two decodes.
    pause_s
        Between two faults, on average.
    seed
        Of the faults' order.
    """
    rng = random.Random(seed)
    soaked = Soaked(Tally())
    rows: dict[str, list[tuple[float, float]]] = {}
    gentle = [k for k, deed in DEEDS.items() if not deed.restarts and k not in _KILLS]
    begun_s = time.monotonic()
    async with running(folder, hop_s) as line:

        async def harm_until(end_s: float, kinds: list[str]) -> None:
            while time.monotonic() < end_s:
                await soaked.tally.harm(line, rng.choice(kinds))
                await asyncio.sleep(rng.uniform(0.0, 2.0 * pause_s))

        await harm_until(begun_s + seconds / 3, plan(10 * len(DEEDS), (), seed))
        await line.moving()
        watching = asyncio.create_task(_watch(line, rows))
        await harm_until(begun_s + seconds, gentle)
        await line.moving()
        watching.cancel()
        soaked.tally.n_helped = line.n_helped
        soaked.report = await line.oracle.report()
    soaked.growth = {name: growth(each) for name, each in rows.items()}
    return soaked


def main() -> None:
    """Soak, and print what came of it; the exit code says whether all held."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--minutes", type=float, default=30.0)
    ask.add_argument("--hop-s", type=float, default=0.01)
    ask.add_argument("--pause-s", type=float, default=1.0, help="between two faults, on average")
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        scene = soak(Path(name), 60 * asked.minutes, asked.hop_s, asked.pause_s, asked.seed)
        soaked = asyncio.run(scene)
    soaked.tally.show()
    grown = ", ".join(f"{n} {g:+.2f} ± {e:.2f}" for n, (g, e) in soaked.growth.items())
    tally = soaked.tally
    print(
        f"\n{tally.n} faults in {asked.minutes:g} min, worst {tally.worst_ms:.0f} ms, "
        f"{tally.n_helped} needed a new session; load average {os.getloadavg()[0]:.1f}"
    )
    print(f"growth over the last third, MiB/h: {grown}")
    print(f"oracle: {soaked.report}")
    grows = [n for n, (g, e) in soaked.growth.items() if g - 2 * e > MOST_GROWTH_MIB_H]
    holds = soaked.report["unsafe"] == 0 and not soaked.tally.never and not grows
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
