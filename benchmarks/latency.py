"""Latency and CPU of the whole service beside its peers, on the peers' own common job.

LSL push of a chunk in one process → message in another process's WebSocket client, through the
real service with its real protocol: ``bci serve`` with a band-pass, log power and a 2 × C linear
map. The peers and the job are those of the peers' folder (its README says how each is built); all
that is added there is a receiver that subscribes as our protocol asks.

    python benchmarks/latency.py --peers ../shared/peers --secs 60

prints one table for each job, medians over ``--rounds``, and ratios against the bare floor.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
JOBS = {"32 ch x 500 Hz": (32, 500, 5), "256 ch x 1 kHz": (256, 1000, 10)}
NAMES = (
    "floor_thread",
    "ours",
    "mnelsl_callback",
    "mnelsl_poll",
    "ezmsg",
    "brand_style",
    "timeflux_ui_25",
    "timeflux_ui_100",
    "timeflux_ui_1000",
)
OURS = {
    "cmds": [[sys.executable, str(HERE / "latency_service.py")]],
    "url": "ws://127.0.0.1:$PORT/v1/sessions/latency/stream",
    "proto": "ws-bci",
    # The stamps are smoothed and brought onto our clock: well under half a chunk off.
    "tol": 0.004,
}


@dataclass(frozen=True)
class Row:
    """One run: milliseconds, percent of a core, megabytes."""

    name: str
    p50: float
    p99: float
    p999: float
    cpu: float
    rss: float
    lost: float


def main() -> None:
    """Run every system on every job and print the tables."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers")
    ask.add_argument("--names", nargs="*", default=list(NAMES))
    ask.add_argument("--secs", type=float, default=60)
    ask.add_argument("--rounds", type=int, default=1)
    ask.add_argument("--rt", action="store_true", help="all under SCHED_FIFO: a noisy machine")
    ask.add_argument("--json", type=Path, help="also write the rows here")
    asked = ask.parse_args()
    if not (asked.peers / "bench.py").exists():
        sys.exit(f"no peers in {asked.peers}: give their folder with --peers")
    tables: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = _peers_and_ours(asked.peers, Path(folder) / "peers")
        for title, job in JOBS.items():
            runs: dict[str, list[Row]] = {name: [] for name in asked.names}
            for _ in range(asked.rounds):
                for name in asked.names:
                    runs[name].append(_run(place, name, job, asked.secs, asked.rt))
            tables[title] = [_median(rows) for rows in runs.values()]
            print(
                f"\n{title}, 10 ms chunks, {asked.secs:g} s, median of {asked.rounds}"
                + ", SCHED_FIFO" * asked.rt
            )
            _print(tables[title])
    if asked.json:
        plain = {title: [vars(r) for r in rows] for title, rows in tables.items()}
        asked.json.write_text(json.dumps(plain, indent=1) + "\n")


def _peers_and_ours(peers: Path, place: Path) -> Path:
    """Copy the peers' folder and put ours into the copy."""
    shutil.copytree(peers, place, copy_function=shutil.copyfile)
    for folder in (place, *(p for p in place.rglob("*") if p.is_dir())):
        folder.chmod(0o755)
    jobs = json.loads((place / "jobs.json").read_text())
    (place / "jobs.json").write_text(json.dumps(jobs | {"ours": OURS}))
    (place / "recv.py").rename(place / "recv_peers.py")
    shutil.copyfile(HERE / "latency_receiver.py", place / "recv.py")
    return place


def _run(place: Path, name: str, job: tuple[int, int, int], secs: float, rt: bool) -> Row:
    n_channels, rate_hz, n_chunk = job
    home = os.environ.get("PEERS_HOME", os.path.expanduser("~/.cache/bci-peers"))
    results = place / "results.jsonl"
    results.unlink(missing_ok=True)
    command = [f"{home}/web/bin/python", "bench.py", name, "--ch", str(n_channels)]
    command += ["--rate", str(rate_hz), "--chunk", str(n_chunk), "--secs", str(secs)]
    command += ["--rt"] if rt else []
    done = subprocess.run(
        command,
        cwd=place,
        env=os.environ | {"PEERS_RESULTS": str(results)},
        capture_output=True,
        text=True,
        check=False,
    )
    if not results.exists():
        sys.exit(f"{name} gave no figure:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    print(f"  {done.stdout.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    r = json.loads(results.read_text().splitlines()[-1])
    return Row(name, r["p50"], r["p99"], r["p999"], r["cpu_pct"], r["rss_mb"], r["lost"])


def _median(rows: list[Row]) -> Row:
    keys = ("p50", "p99", "p999", "cpu", "rss", "lost")
    return Row(rows[0].name, *(statistics.median(getattr(r, k) for r in rows) for k in keys))


def _print(rows: list[Row]) -> None:
    floor = next((r.p50 for r in rows if r.name == "floor_thread"), None)
    columns = ("p50 ms", "p99 ms", "p99.9", "x floor", "CPU %", "MB", "lost")
    print(f"{'':18}" + "".join(f"{c:>9}" for c in columns))
    for r in sorted(rows, key=lambda r: r.p50):
        ratio = f"{r.p50 / floor:.2f}" if floor else "-"
        print(
            f"{r.name:18}{r.p50:9.2f}{r.p99:9.2f}{r.p999:9.2f}{ratio:>9}"
            f"{r.cpu:9.1f}{r.rss:9.0f}{r.lost:9.0f}"
        )


if __name__ == "__main__":
    main()
