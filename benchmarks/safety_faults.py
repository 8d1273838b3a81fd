"""A thousand faults of every kind: how soon the effector is neutral, and what was unsafe.

The whole line as real processes, decoding at 100 Hz beside busy processors. The effector is a
process of its own (`oracle.py`) that judges every command. Each fault is counted from the deed, or
from where the table says, until the effector is neutral.

    python benchmarks/safety_faults.py --faults 1000
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.fault_deeds import DEEDS  # noqa: E402 - see above
from benchmarks.fault_line import FaultLine, load, running  # noqa: E402 - see above
from benchmarks.line import lsl_of_its_own  # noqa: E402

LIMIT_MS = 150.0
_WAIT_S = 3.0


class Tally:
    """What became of each fault."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {}
        self.why: dict[str, Counter[str]] = {}
        self.never: Counter[str] = Counter()
        self.n_again = self.n_helped = 0
        self.late_ms: list[float] = []

    @property
    def n(self) -> int:
        """How many faults there were."""
        return sum(map(len, self.ms.values())) + sum(self.never.values())

    @property
    def worst_ms(self) -> float:
        """The longest time until neutral."""
        return max((max(each) for each in self.ms.values()), default=0.0)

    async def harm(self, line: FaultLine, what: str) -> None:
        """Do one deed, wait for neutral, mend it, wait until it moves again."""
        deed = DEEDS[what]
        await line.moving()
        at_s = await deed.do(line)
        neutral = await line.oracle.neutral(at_s, _WAIT_S)
        if line.oracle.was_neutral(at_s):
            self.n_again += 1  # something else was quicker: nothing can be told of this one
        elif neutral is None:
            self.never[what] += 1
            print(f"{what}: the effector was never neutral", file=sys.stderr, flush=True)
        else:
            ms = 1e3 * (neutral[0] - at_s)
            self.ms.setdefault(what, []).append(ms)
            self.why.setdefault(what, Counter())[neutral[1]] += 1
            await asyncio.sleep(0.02)  # so that what waited as long can say so
            late_ms = line.hiccups.within_ms(at_s, neutral[0])
            self.late_ms.append(late_ms)
            if ms > LIMIT_MS:
                said = (
                    f"{what}: {ms:.0f} ms ({neutral[1]}); a sleeper was woken {late_ms:.0f} ms late"
                )
                print(said, file=sys.stderr, flush=True)
        await deed.mend(line)

    def show(self) -> None:
        """Print the table."""
        print("| fault | n | median ms | worst ms | neutral because |\n|---|---|---|---|---|")
        for what in DEEDS:
            ms = self.ms.get(what)
            if ms:
                why = ", ".join(f"{w} ({n})" for w, n in self.why[what].most_common(4))
                print(
                    f"| {what} | {len(ms)} | {statistics.median(ms):.0f} | {max(ms):.0f} | {why} |"
                )
            if self.never[what]:
                print(f"| {what} | {self.never[what]} | never | never | |")


def plan(n: int, only: Sequence[str], seed: int) -> list[str]:
    """Return `n` kinds of fault in random order; those that need a new engine come less often."""
    kinds = [k for k in DEEDS if not only or any(word in k for word in only)]
    weights = [1 if DEEDS[k].restarts else 5 for k in kinds]
    rng = random.Random(seed)
    rest = rng.choices(kinds, weights, k=max(0, n - len(kinds)))
    order = [*kinds, *rest][: max(n, len(kinds))]
    rng.shuffle(order)
    return order


async def play(
    folder: Path, order: Sequence[str], n_busy: int, minutes: float
) -> tuple[Tally, dict[str, object]]:
    """Do every deed in turn, for so long at most; return what was seen, and the oracle's counts."""
    tally = Tally()
    async with running(folder) as line:
        with load(n_busy):
            await _harm_all(line, order, tally, time.monotonic() + 60 * minutes)
        await line.moving()
        tally.n_helped = line.n_helped
        return tally, await line.oracle.report()


async def _harm_all(line: FaultLine, order: Sequence[str], tally: Tally, until_s: float) -> None:
    begun_s = time.monotonic()
    for i, what in enumerate(order):
        if time.monotonic() > until_s:
            break
        n_before = tally.n
        while tally.n == n_before:
            await tally.harm(line, what)
        if i % 50 == 49:
            rate = (time.monotonic() - begun_s) / (i + 1)
            print(f"{i + 1} faults, {rate:.1f} s each", file=sys.stderr, flush=True)


def main() -> None:
    """Harm the line and print the table; the exit code says whether all held."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--faults", type=int, default=1000)
    ask.add_argument("--minutes", type=float, default=math.inf, help="no more after so long")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--load", type=int, default=2, help="busy processes beside it")
    ask.add_argument("--only", nargs="*", default=[], help="kinds with these words in their names")
    asked = ask.parse_args()
    order = plan(asked.faults, asked.only, asked.seed)
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        tally, report = asyncio.run(play(Path(name), order, asked.load, asked.minutes))
        average = os.getloadavg()[0]
    tally.show()
    print(
        f"\n{tally.n} faults; worst {tally.worst_ms:.0f} ms; {tally.n_again} more were done while "
        f"the effector happened to be neutral already, {tally.n_helped} "
        f"needed a new session; load average {average:.1f}"
    )
    late = sorted(tally.late_ms)
    print(
        f"a sleeper of the web process's priority was woken late during {sum(x > 0 for x in late)} "
        f"of them: by {late[round(0.99 * (len(late) - 1))]:.0f} ms (p99), {late[-1]:.0f} ms at most"
    )
    print(f"oracle: {report}")
    holds = tally.worst_ms <= LIMIT_MS and not tally.never and report["unsafe"] == 0
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
