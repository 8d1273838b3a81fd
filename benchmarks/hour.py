"""An hour's worth of samples through the whole line: neither latency nor memory may grow.

A simulated headset of 64 channels at 250 Hz is played over LSL at twenty times its speed into
``bci serve``; a client takes every command in. For each part of the hour: newest sample taken →
message there, and the memory of both processes.

The web process keeps the newest messages of a session for clients that come back (`HISTORY` in
bci_server.web.hub). Its memory grows by some 5 MB until these are full: after 4,096 predictions and
markers, and after 256 statuses, which come once a second of real time. Then it stands still.

    python benchmarks/hour.py --speed 20
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.line import (  # noqa: E402 - found by the line above
    Server,
    lsl_of_its_own,
    serving,
    streaming,
    write_session,
)
from benchmarks.receivers import Reader, connect_readers  # noqa: E402
from devices.adapters.simulator_eeg import SimulatorEeg  # noqa: E402

NAME = "hour"


async def watch(server: Server, sender: asyncio.Future[int], part_s: float) -> None:
    """Print one line for each `part_s` of real time until the sender has ended."""
    (reader,) = await connect_readers(server.url, NAME, server.token, 1, ["commands"])
    async with asyncio.timeout(60.0):
        await reader.has_rows.wait()
    engine, web = server.child("bci_server.engine"), server.child("bci_server.web")
    n_before, part = 0, 0
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    while not sender.done():
        part += 1
        await asyncio.wait([sender], timeout=begun_s + part * part_s - loop.time())
        rows, n_before = reader.rows[n_before:], len(reader.rows)
        _show(part, rows, reader, engine.memory_info().rss, web.memory_info().rss)
    figures = server.metrics()
    lost = {
        k: round(v) for k, v in figures.items() if k.startswith(("bci_samples_lost", "bci_gap"))
    }
    print(f"\n{len(reader.rows)} commands; {lost}; load average {os.getloadavg()[0]:.1f}")
    reader.close()


def _show(
    part: int, rows: list[tuple[float, float]], reader: Reader, engine: int, web: int
) -> None:
    if not rows:
        return
    p50, p99, worst = np.percentile(np.array(rows) @ (1e3, -1e3), [50, 99, 100])
    print(
        f"| {part} | {len(rows)} | {p50:.2f} | {p99:.2f} | {worst:.1f} | {reader.n_missed} "
        f"| {engine / 1e6:.1f} | {web / 1e6:.1f} |",
        flush=True,
    )


async def run(server: Server, words: list[str], part_s: float) -> None:
    """Start the sender and watch what comes."""
    with streaming(*words) as process:
        sender = asyncio.ensure_future(asyncio.to_thread(process.wait))
        await watch(server, sender, part_s)


def main() -> None:
    """Play the hour and print the table."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--speed", type=float, default=20.0)
    ask.add_argument("--hours", type=float, default=1.0)
    ask.add_argument("--parts", type=int, default=12)
    asked = ask.parse_args()
    seconds = 3600.0 * asked.hours
    words = ["simulator_eeg", "--n-channels", "64", "--rate-hz", "250", "--chunk-s", "0.1"]
    words += ["--speed", str(asked.speed), "--duration-s", str(seconds), "--as", NAME]
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        folder = Path(name)
        session = write_session(folder, NAME, SimulatorEeg(n_channels=64), hop_s=0.1)
        print(
            f"| part of {60 * asked.hours / asked.parts:g} min | commands | p50 ms | p99 ms "
            "| worst ms | missed so far | engine RSS MB | web RSS MB |"
        )
        print("|---|---|---|---|---|---|---|---|")
        with serving(session, folder) as server:
            part_s = seconds / asked.speed / asked.parts
            asyncio.run(run(server, [*words, "--wait", "60"], part_s))


if __name__ == "__main__":
    main()
