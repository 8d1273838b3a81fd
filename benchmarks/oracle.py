"""An effector that judges: a process of its own, which subscribes like any client.

It carries commands out with the reference effector, and counts every command that should not have
come: of too old samples, beyond the limits of value, velocity or acceleration, out of order,
moving while nobody is armed. It tells on stdout, as JSON lines, when it begins to move and when it
is neutral again; and at the end of its stdin the counts.

    python benchmarks/oracle.py ws://127.0.0.1:8765 TOKEN_FILE SESSION --limit x=0.5,4
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.client import Effector, Lost, Moves, connect  # noqa: E402 - found by the line above
from bci_server.scheduling import raise_priority  # noqa: E402
from bci_server.wire import CommandMessage  # noqa: E402

UNSAFE = ("stale", "limit", "slope", "order", "disarmed")
_PERIOD_S = 0.005


@dataclass(frozen=True)
class Allowed:
    """Largest absolute value, and largest change a second, of one command."""

    value: float
    slope: float


class Judge:
    """Judges commands by what the client that armed the session allowed. Pure.

    Parameters
    ----------
    allowed
        By name.
    max_age_ms
        Of the newest sample that a command which is carried out rests on, when it comes.

    Attributes
    ----------
    counts
        Commands; those that moved; `UNSAFE` ones by what was wrong; ``"late"`` ones, that came
        after the command before had run out.
    """

    def __init__(self, allowed: Mapping[str, Allowed], max_age_ms: float) -> None:
        self.counts: Counter[str] = Counter()
        self.worst: dict[str, float] = {"age_ms": 0.0, "pause_ms": 0.0}
        self.examples: list[str] = []
        self._allowed = allowed
        self._max_age_s = 1e-3 * max_age_ms
        self._seq = 0
        self._over: set[int] = set()
        self._before: CommandMessage | None = None
        self._came_s = 0.0

    @property
    def unsafe(self) -> int:
        """How many commands should not have come."""
        return sum(self.counts[what] for what in UNSAFE)

    def begin(self) -> None:
        """Take in that the numbers begin anew."""
        self._seq = 0
        self._over.clear()
        self._before = None

    def take(self, message: CommandMessage, is_carried_out: bool, now_s: float) -> None:
        """Judge one command, which the effector took or refused."""
        self.counts["commands"] += 1
        if message.seq <= self._seq:
            self._count("order", message, f"after {self._seq}")
        self._seq = message.seq
        moves = message.mode != "neutral"
        before = self._before
        if not message.armed and before is not None and before.lease:
            self._over.add(before.lease)
        if moves:
            self.counts["moving"] += 1
            self._judge_moving(message, is_carried_out, now_s)
        self._judge_values(message, moves)
        if before is not None and before.mode != "neutral":
            pause_ms = 1e3 * (now_s - self._came_s)
            self.worst["pause_ms"] = max(self.worst["pause_ms"], pause_ms)
            self.counts["late"] += pause_ms > before.ttl_ms
        self._before, self._came_s = message, now_s

    def _judge_moving(self, message: CommandMessage, is_carried_out: bool, now_s: float) -> None:
        if not message.armed or message.safety != "active" or message.lease in self._over:
            self._count("disarmed", message, f"lease {message.lease}, {message.safety}")
        age_s = now_s - message.ledger.sampled_s
        if is_carried_out:
            self.worst["age_ms"] = max(self.worst["age_ms"], 1e3 * age_s)
            if age_s > self._max_age_s:
                self._count("stale", message, f"{1e3 * age_s:.0f} ms")

    def _judge_values(self, message: CommandMessage, moves: bool) -> None:
        before = self._before
        for i, (name, value) in enumerate(zip(message.names, message.values, strict=True)):
            most = self._allowed[name]
            if not abs(value) <= most.value * (1 + 1e-9):
                self._count("limit", message, f"{name} = {value}")
            if before is None or name not in before.names:
                continue
            last = before.values[before.names.index(name)]
            # From when the one before was decided on to when this one went out: what the engine
            # said and what the web process said for it have times of their own.
            elapsed_s = max(0.0, message.ledger.published_s - before.ledger.decoded_s)
            if not abs(value - last) <= most.slope * elapsed_s * 1.001 + 1e-6:
                self._count("slope", message, f"{name}: {last} → {value} in {1e3 * elapsed_s} ms")
            rest = message.rest[i] if i < len(message.rest) else 0.0
            if (
                not moves
                and before.mode == "neutral"
                and abs(value - rest) > abs(last - rest) + 1e-9
            ):
                self._count("disarmed", message, f"{name} moves while neutral")

    def _count(self, what: str, message: CommandMessage, how: str) -> None:
        self.counts[what] += 1
        if len(self.examples) < 20:
            self.examples.append(f"{what}, command {message.seq}: {how}")


class Oracle:
    """The effector's process: carries out, judges, tells."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.effector = Effector(slopes={n: a.slope for n, a in judge._allowed.items()})
        self._was_neutral: bool | None = None
        self._reason = ""

    def act(self, moves: Moves) -> None:
        """Carry out; tell when that turns from moving to neutral, or back."""
        if moves.is_neutral != self._was_neutral:
            self._was_neutral = moves.is_neutral
            why = (f"{moves.why}: {self._reason}" if moves.why == "told" else moves.why) or "moves"
            tell(is_=("neutral" if moves.is_neutral else "moving"), at_s=time.monotonic(), why=why)

    async def run(self, url: str, token: str, session: str) -> None:
        """Do so until cancelled. It is `bci_server.client.drive`, with a judge beside."""
        effector, judge = self.effector, self.judge
        async with connect(url, token, session=session) as client:
            asking = asyncio.create_task(self._keep_asking(client))
            epoch = client.hello.epoch
            try:
                async for message in client.subscribe("commands"):
                    now_s = time.monotonic()
                    if client.hello.epoch != epoch or isinstance(message, Lost):
                        epoch = client.hello.epoch
                        judge.begin()
                    effector.begin(client.hello.session, client.hello.epoch)
                    if isinstance(message, Lost):
                        effector.cut()
                    elif isinstance(message, CommandMessage):
                        is_taken = effector.take(message, now_s, 0.0)  # one machine, one clock
                        self._reason = message.reason
                        judge.take(message, is_taken and message.mode != "neutral", now_s)
                    self.act(effector.at(now_s))
            finally:
                asking.cancel()

    async def _keep_asking(self, client: Any) -> None:
        while True:
            await asyncio.sleep(_PERIOD_S)
            if not client.is_connected:
                self.effector.cut()
            self.act(self.effector.at(time.monotonic()))

    def report(self) -> dict[str, Any]:
        """Return the counts."""
        judge = self.judge
        return {
            "unsafe": judge.unsafe,
            "counts": dict(judge.counts),
            "refused": dict(self.effector.refused),
            "worst": judge.worst,
            "examples": judge.examples,
        }


def tell(**what: Any) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps({k.rstrip("_"): v for k, v in what.items()}) + "\n")
    sys.stdout.flush()


async def _serve(oracle: Oracle, asked: argparse.Namespace, token: str) -> None:
    running = asyncio.create_task(oracle.run(asked.url, token, asked.session))
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def main() -> None:
    """Judge until the end of stdin; the exit code is 1 if a command was unsafe."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token_file")
    ask.add_argument("session")
    ask.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE,SLOPE")
    ask.add_argument("--max-age-ms", type=float, default=250.0)
    asked = ask.parse_args()
    allowed = {}
    for limit in asked.limit:
        name, _, numbers = limit.partition("=")
        allowed[name] = Allowed(*map(float, numbers.split(",")))
    raise_priority()  # what moves has a processor of its own
    oracle = Oracle(Judge(allowed, asked.max_age_ms))
    asyncio.run(_serve(oracle, asked, Path(asked.token_file).read_text().strip()))
    tell(**oracle.report())
    sys.exit(1 if oracle.judge.unsafe else 0)


if __name__ == "__main__":
    main()
