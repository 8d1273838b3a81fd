"""Speech, live: a simulated speaker → LSL → ``bci serve`` → a WebSocket client, for minutes.

How long after the last sample of a step its phonemes, and the words that follow from it, are at the
client; whether that grows; what the engine takes; and how many words come of silence and of noise::

    python benchmarks/speech_live.py SESSION.toml --minutes 30
    python benchmarks/speech_live.py SESSION.toml --minutes 10 --modes silence noise

The session takes its device from LSL by the name ``speech``, with the markers ``speech-markers``,
and has a model of 256 electrodes, counts in 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.client import Client, Lost, Unreachable, connect  # noqa: E402 - found by the line above
from bci_server.wire import PredictionMessage, StatusMessage, TokenMessage  # noqa: E402
from benchmarks.line import Server, lsl_of_its_own, serving, streaming  # noqa: E402
from benchmarks.soak import growth  # noqa: E402

MODES = ("sentences", "silence", "noise")
MOST_P99_MS = 25.0
MOST_MIB = 3072.0
MOST_GROWTH_MIB_H = 10.0
_SAMPLE_S = 2.0
_SETTLED_S = 10.0
"""Before that, the first status and the connection are still under way."""


@dataclass
class Heard:
    """What a client received.

    Parameters
    ----------
    steps, words
        For each prediction and each token: when it came, and how many ms after its last sample.
    finals, interims
        Words that are final, and that were shown.
    confidences
        Of the final ones.
    spans
        The engine's own latencies in its newest status.
    n_lost
        Messages that did not come.
    """

    steps: list[tuple[float, float]] = field(default_factory=list)
    words: list[tuple[float, float]] = field(default_factory=list)
    finals: list[str] = field(default_factory=list)
    interims: int = 0
    confidences: list[float] = field(default_factory=list)
    spans: dict[str, Any] = field(default_factory=dict)
    n_lost: int = 0
    misses: int = 0

    def take(self, message: object) -> None:
        """Take one message in."""
        now_s = time.monotonic()
        match message:
            case PredictionMessage():
                self.steps.append((now_s, 1e3 * (now_s - message.ledger.sampled_s)))
            case TokenMessage():
                self.words.append((now_s, 1e3 * (now_s - message.ledger.sampled_s)))
                if message.is_final:
                    self.finals.append(message.text)
                    self.confidences.append(message.confidence)
                elif message.text:
                    self.interims += 1
            case StatusMessage():
                self.spans = {k: asdict_of(v) for k, v in message.latency_ms.items()}
                self.misses = message.deadline_misses
            case Lost():
                self.n_lost += message.n or 1


def asdict_of(percentiles: Any) -> dict[str, float]:
    """Return p50, p99 and p99.9."""
    return {"p50": percentiles.p50, "p99": percentiles.p99, "p99.9": percentiles.p999}


@dataclass(frozen=True)
class Figures:
    """What a run showed. Milliseconds, MiB, percent of a core.

    `first_minute` and `last_minute` are of the steps.
    """

    mode: str
    minutes: float
    n_steps: int
    step_ms: dict[str, float]
    word_ms: dict[str, float]
    first_minute: dict[str, float]
    last_minute: dict[str, float]
    engine_ms: dict[str, Any]
    engine_mib: float
    growth_mib_h: float
    growth_error: float
    engine_cpu: float
    web_cpu: float
    n_words: int
    n_interims: int
    most_confident: float
    n_lost: int
    deadline_misses: int
    load: float

    @property
    def holds(self) -> bool:
        """Whether all that must hold does."""
        is_quick = self.step_ms["p99"] <= MOST_P99_MS and self.word_ms.get("p99", 0) <= MOST_P99_MS
        grows = self.growth_mib_h - 2 * self.growth_error > MOST_GROWTH_MIB_H
        is_small = self.engine_mib <= MOST_MIB and not grows
        return is_quick and is_small and (self.mode == "sentences" or not self.n_words)


def _spread(rows: list[tuple[float, float]]) -> dict[str, float]:
    if not rows:
        return {}
    p50, p99, p999 = np.percentile([ms for _, ms in rows], [50, 99, 99.9])
    return {"p50": float(p50), "p99": float(p99), "p99.9": float(p999)}


async def listen(server: Server, name: str, seconds: float, stream: list[str]) -> Figures:
    """Stream for so long, and return the figures."""
    heard, memory = Heard(), list[tuple[float, float]]()
    async with await _connected(server, name) as client:
        messages = client.subscribe("predictions", "tokens", "status")
        await anext(messages)
        engine, web = server.child("bci_server.engine"), server.child("bci_server.web")
        with streaming("simulator_speech", *stream):
            while not heard.steps:
                heard.take(await anext(messages))
            begun_s = time.monotonic() + _SETTLED_S
            watching = asyncio.create_task(_watch(engine, memory))
            cpu = [_cpu_s(p) for p in (engine, web)]
            async for message in messages:
                heard.take(message)
                if time.monotonic() > begun_s + seconds:
                    break
            wall_s = time.monotonic() - begun_s + _SETTLED_S
            used = [
                100 * (_cpu_s(p) - before) / wall_s
                for p, before in zip((engine, web), cpu, strict=True)
            ]
            watching.cancel()
    steps = [row for row in heard.steps if row[0] >= begun_s]
    words = [row for row in heard.words if row[0] >= begun_s]
    last_s = steps[-1][0]
    slope, error = growth(memory)
    return Figures(
        mode=stream[stream.index("--mode") + 1],
        minutes=seconds / 60,
        n_steps=len(steps),
        step_ms=_spread(steps),
        word_ms=_spread(words),
        first_minute=_spread([row for row in steps if row[0] < begun_s + 60]),
        last_minute=_spread([row for row in steps if row[0] >= last_s - 60]),
        engine_ms=heard.spans,
        engine_mib=max(mib for _, mib in memory),
        growth_mib_h=slope,
        growth_error=error,
        engine_cpu=used[0],
        web_cpu=used[1],
        n_words=len(heard.finals),
        n_interims=heard.interims,
        most_confident=max(heard.confidences, default=0.0),
        n_lost=heard.n_lost,
        deadline_misses=heard.misses,
        load=os.getloadavg()[0],
    )


async def _connected(server: Server, name: str) -> Client:
    """Return a client of a server that may still be starting."""
    give_up_s = time.monotonic() + 180
    while True:
        try:
            async with connect(server.url, server.token, session=name):
                return connect(server.url, server.token, session=name)
        except Unreachable:
            if time.monotonic() > give_up_s:
                raise


async def _watch(process: psutil.Process, rows: list[tuple[float, float]]) -> None:
    while True:
        rows.append((time.monotonic(), process.memory_info().rss / 2**20))
        await asyncio.sleep(_SAMPLE_S)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def show(figures: Figures) -> None:
    """Print the figures of a run."""
    f = figures

    def row(name: str, ms: dict[str, float]) -> str:
        return f"  {name:<34}" + "  ".join(f"{k} {v:7.2f}" for k, v in ms.items())

    print(f"{f.mode}, {f.minutes:g} min, {f.n_steps} steps, load average {f.load:.1f}")
    print(row("last sample of a step → client, ms", f.step_ms))
    print(row("… of a step with tokens, ms", f.word_ms))
    print(row("first minute", f.first_minute))
    print(row("last minute", f.last_minute))
    for span, ms in f.engine_ms.items():
        print(row(f"engine, {span}", ms))
    print(
        f"  engine {f.engine_mib:.0f} MiB at most, {f.growth_mib_h:+.1f} ± {f.growth_error:.1f} "
        f"MiB/h over the later half; {f.engine_cpu:.0f} % of a core, web {f.web_cpu:.0f} %"
    )
    print(
        f"  {f.n_words} final words (the surest {f.most_confident:.2f}), {f.n_interims} interim "
        f"ones; {f.n_lost} messages lost, {f.deadline_misses} deadlines missed"
    )
    print(f"  holds: {f.holds}", flush=True)


def main() -> None:
    """Run every mode, and print the figures; the exit code says whether all held."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("session", type=Path)
    ask.add_argument("--minutes", type=float, default=30.0)
    ask.add_argument("--modes", nargs="+", choices=MODES, default=["sentences"])
    ask.add_argument("--text", default="", help="what is said; default: the simulator's own")
    ask.add_argument("--day", type=int, default=0, help="of the simulated electrodes")
    ask.add_argument("--seed", type=int, default=1, help="of the speaker that the model knows")
    ask.add_argument("--json", type=Path, help="also write the figures here")
    asked = ask.parse_args()
    found = []
    for mode in asked.modes:
        stream = ["--as", "speech", "--wait", "60", "--mode", mode, "--seed", str(asked.seed)]
        stream += ["--day", str(asked.day), *(["--text", asked.text] if asked.text else [])]
        with (
            tempfile.TemporaryDirectory() as folder,
            lsl_of_its_own(),
            serving(asked.session, Path(folder)) as server,
        ):
            scene = listen(server, asked.session.stem, 60 * asked.minutes, stream)
            found.append(asyncio.run(scene))
        show(found[-1])
    if asked.json:
        asked.json.write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")
    sys.exit(0 if all(f.holds for f in found) else 1)


if __name__ == "__main__":
    main()
