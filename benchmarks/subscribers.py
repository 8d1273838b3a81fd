"""A hundred WebSocket subscribers, none or ten of them frozen: the others must not notice.

A simulated headset of 32 channels at 500 Hz in chunks of 10 ms goes over LSL into ``bci serve``;
each chunk's command goes to every subscriber. Ninety read and are measured: newest sample taken →
message there. Ten more read too, or are frozen: they ask for everything and never read. Rounds of
both kinds alternate, so that both see the same machine.

    python benchmarks/subscribers.py --rounds 3 --secs 15
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
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
from benchmarks.receivers import Frozen, Reader, connect_readers  # noqa: E402
from devices.adapters.simulator_eeg import SimulatorEeg  # noqa: E402

NAME = "crowd"
DEVICE = SimulatorEeg(n_channels=32, rate_hz=500.0, chunk_s=0.01)
N_MEASURED, N_OTHERS = 90, 10
TOPICS = ["signal", "commands", "predictions"]


@dataclass(frozen=True)
class Round:
    """What one round gave: latencies in ms, counts, and the web process's memory in MB."""

    latency_ms: np.ndarray
    n_missed: int
    rss_mb: tuple[float, float]
    dropped: int
    replaced: int
    cpu: float


async def play(server: Server, is_frozen: bool, secs: float) -> Round:
    """Connect everybody, listen for `secs`, and leave."""
    web = server.child("bci_server.web")
    before, rss_before = server.metrics(), web.memory_info().rss
    others: list[Frozen] | list[Reader]
    if is_frozen:
        others = [Frozen(server.url, NAME, server.token) for _ in range(N_OTHERS)]
    else:
        others = await connect_readers(server.url, NAME, server.token, N_OTHERS, TOPICS)
    readers = await connect_readers(server.url, NAME, server.token, N_MEASURED, ["commands"])
    await asyncio.sleep(1.0)
    for reader in readers:
        reader.rows.clear()
        reader.n_missed = 0
    used = sum(web.cpu_times()[:2])
    await asyncio.sleep(secs)
    cpu = (sum(web.cpu_times()[:2]) - used) / secs
    latency_ms = np.concatenate([np.array(r.rows) @ (1e3, -1e3) for r in readers])
    n_missed = sum(r.n_missed for r in readers)
    rss_after = web.memory_info().rss
    after = await asyncio.to_thread(server.metrics)
    for client in (*others, *readers):
        client.close()
    return Round(
        latency_ms,
        n_missed,
        (rss_before / 1e6, rss_after / 1e6),
        round(after["bci_dropped_total"] - before["bci_dropped_total"]),
        round(after["bci_replaced_total"] - before["bci_replaced_total"]),
        cpu,
    )


def show(title: str, rounds: list[Round]) -> None:
    """Print one line of the table."""
    all_ms = np.concatenate([r.latency_ms for r in rounds])
    p50, p99, p999 = np.percentile(all_ms, [50, 99, 99.9])
    p99s = ", ".join(f"{np.percentile(r.latency_ms, 99):.2f}" for r in rounds)
    print(
        f"| {title} | {p50:.2f} | {p99:.2f} | {p999:.2f} | {p99s} | {len(all_ms)} "
        f"| {sum(r.n_missed for r in rounds)} "
        f"| {', '.join(f'{r.rss_mb[0]:.1f} → {r.rss_mb[1]:.1f}' for r in rounds)} "
        f"| {sum(r.dropped for r in rounds)} "
        f"| {sum(r.replaced for r in rounds)} | {100 * np.mean([r.cpu for r in rounds]):.0f} |",
        flush=True,
    )


def main() -> None:
    """Run the rounds and print the table."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--secs", type=float, default=15.0)
    asked = ask.parse_args()
    kinds = {"none frozen": False, "10 frozen": True}
    rounds: dict[str, list[Round]] = {title: [] for title in kinds}
    words = ["simulator_eeg", "--n-channels", "32", "--rate-hz", "500", "--chunk-s", "0.01"]
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        folder = Path(name)
        session = write_session(folder, NAME, DEVICE, hop_s=0.01)
        with serving(session, folder) as server, streaming(*words, "--as", NAME):
            asyncio.run(_first_command(server))
            for _ in range(asked.rounds):
                for title, is_frozen in kinds.items():
                    rounds[title].append(asyncio.run(play(server, is_frozen, asked.secs)))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(
        "| others | p50 ms | p99 ms | p99.9 ms | p99 by round | messages | replaced for the 90 "
        "| web RSS MB by round | display messages dropped | replaced, all | web CPU % |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for title, played in rounds.items():
        show(title, played)


async def _first_command(server: Server) -> None:
    """Wait until the session runs."""
    (reader,) = await connect_readers(server.url, NAME, server.token, 1, ["commands"])
    async with asyncio.timeout(60.0):
        await reader.has_rows.wait()
    reader.close()


if __name__ == "__main__":
    main()
