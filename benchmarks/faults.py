"""Each process of the whole line is killed or stopped: after how long do clients know, and recover.

A client is armed and commands move; then the deed. The table says what the client saw first, how
many milliseconds after the deed, and how long after the remedy began it was armed and moving again.

    python benchmarks/faults.py --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
from websockets.asyncio.client import connect as connect_plainly
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.client import CallRefused, Client, Lost, Unreachable, connect  # noqa: E402 - see above
from bci_server.wire import CommandMessage  # noqa: E402
from benchmarks.line import (  # noqa: E402
    Server,
    lsl_of_its_own,
    serving,
    streaming,
    write_session,
)
from devices.adapters.simulator_eeg import SimulatorEeg  # noqa: E402

NAME = "faults"
WORDS = ("simulator_eeg", "--n-channels", "32", "--chunk-s", "0.02", "--as", NAME)
WAIT_S = 60.0


class Line:
    """The line that is harmed, and the client that watches.

    Attributes
    ----------
    rows
        For each fault what was seen, and the times until it was seen and until it was mended.
    """

    def __init__(self, server: Server, client: Client, stack: ExitStack) -> None:
        self.rows: dict[str, list[tuple[str, float, float]]] = {}
        self._server = server
        self._client = client
        self._stack = stack
        self._sender = stack.enter_context(streaming(*WORDS))
        self._messages = client.subscribe("commands")

    async def harm(
        self, what: str, deed: Callable[[], object], reason: str, remedy: Callable[[], object]
    ) -> None:
        """Do the deed to a line that runs, and mend it; note both times."""
        await self.moving()
        begun_s = time.monotonic()
        deed()
        await self._until(lambda m: m.mode == "neutral" and m.reason == reason)
        seen_ms = 1e3 * (time.monotonic() - begun_s)
        await self._mend(what, f"neutral command, reason `{reason}`", seen_ms, remedy)

    async def harm_web(self) -> None:
        """Kill the web process; the supervisor has to notice by itself."""
        await self.moving()
        headers = {"Authorization": f"Bearer {self._server.token}"}
        address = self._server.url.replace("http", "ws") + f"/v1/sessions/{NAME}/stream"
        async with connect_plainly(address, additional_headers=headers) as plain:
            await plain.recv()
            begun_s = time.monotonic()
            self.web().kill()
            try:
                await plain.recv()
            except ConnectionClosed as closed:
                seen_ms = 1e3 * (time.monotonic() - begun_s)
                saw = f"connection closed ({closed.rcvd.code if closed.rcvd else 'abruptly'})"
        mended_from_s = time.monotonic()
        await self._lost()  # or what had come before would be taken for new
        await self._note("web process: kill -9", saw, seen_ms, mended_from_s)

    async def _mend(
        self, what: str, saw: str, seen_ms: float, remedy: Callable[[], object]
    ) -> None:
        mended_from_s = time.monotonic()
        await asyncio.to_thread(remedy)
        await self._note(what, saw, seen_ms, mended_from_s)

    async def _note(self, what: str, saw: str, seen_ms: float, mended_from_s: float) -> None:
        await self.moving()
        mended_ms = 1e3 * (time.monotonic() - mended_from_s)
        self.rows.setdefault(what, []).append((saw, seen_ms, mended_ms))
        print(f"{what}: {seen_ms:.0f} ms, {mended_ms:.0f} ms", file=sys.stderr, flush=True)

    async def moving(self) -> None:
        """Wait until the client is armed and a command moves the effector."""
        while not (message := await self._until(lambda m: True)).armed:
            if message.reason == "disarmed":
                with suppress(Unreachable, CallRefused):  # it is not back yet
                    await self._client.arm({"x": 1.0})

    async def _until(self, what: Callable[[CommandMessage], bool]) -> CommandMessage:
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await anext(self._messages)
                if isinstance(message, CommandMessage) and what(message):
                    return message

    async def _lost(self) -> None:
        """Wait until the client has said that the numbers begin anew."""
        async with asyncio.timeout(WAIT_S):
            while not isinstance(await anext(self._messages), Lost):
                pass

    def engine(self) -> psutil.Process:
        """Return the engine's process."""
        return self._server.child("bci_server.engine")

    def web(self) -> psutil.Process:
        """Return the web process."""
        return self._server.child("bci_server.web")

    def sender(self) -> psutil.Process:
        """Return the process of ``bci stream``."""
        return psutil.Process(self._sender.pid)

    def new_sender(self) -> None:
        """Start ``bci stream`` again: the same name, hence the same source id."""
        self._sender = self._stack.enter_context(streaming(*WORDS))

    def restart(self) -> None:
        """Ask for a new engine."""
        self._server.post(f"/v1/sessions/{NAME}/restart")


async def play(server: Server, stack: ExitStack, n_rounds: int) -> Line:
    """Do every deed in turn, `n_rounds` times."""
    async with connect(server.url, server.token, session=NAME) as client:
        line = Line(server, client, stack)
        for _ in range(n_rounds):
            await line.harm(
                "engine: kill -9", lambda: line.engine().kill(), "engine_lost", line.restart
            )
            await line.harm(
                "engine: SIGSTOP",
                lambda: line.engine().suspend(),
                "engine_lost",
                lambda: line.engine().resume(),
            )
            await line.harm_web()
            await line.harm(
                "streamer: kill -9", lambda: line.sender().kill(), "stalled", line.new_sender
            )
            await line.harm(
                "streamer: SIGSTOP",
                lambda: line.sender().suspend(),
                "stalled",
                lambda: line.sender().resume(),
            )
    return line


def show(line: Line) -> None:
    """Print the table: medians, and the worst of the times."""
    print(
        "| fault | the client saw | after ms (median, worst) | armed and moving again, ms after "
        "the remedy (median, worst) |\n|---|---|---|---|"
    )
    for what, rows in line.rows.items():
        seen, mended = [r[1] for r in rows], [r[2] for r in rows]
        print(
            f"| {what} | {rows[0][0]} | {statistics.median(seen):.0f}, {max(seen):.0f} "
            f"| {statistics.median(mended):.0f}, {max(mended):.0f} |"
        )


def main() -> None:
    """Harm the line and print the table."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--rounds", type=int, default=3)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name, lsl_of_its_own():
        folder = Path(name)
        session = write_session(folder, NAME, SimulatorEeg(n_channels=32), hop_s=0.02)
        with ExitStack() as stack, serving(session, folder) as server:
            line = asyncio.run(play(server, stack, asked.rounds))
            family = psutil.Process(server.process.pid).children(recursive=True)
    left = [p for p in family if p.is_running()]
    show(line)
    print(f"\nprocesses left behind: {len(left)}; load average {os.getloadavg()[0]:.1f}")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
