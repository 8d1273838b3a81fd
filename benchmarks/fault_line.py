"""A line that is harmed on purpose: sender, server, somebody who arms, and an effector that judges.

What `safety_faults.py` and `soak.py` share; what is done to it is in `fault_deeds.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.calls import Limit, Renew  # noqa: E402
from bci_server.client import CallRefused, Client, Unreachable, connect  # noqa: E402 - see above
from bci_server.config import load_session  # noqa: E402
from bci_server.scheduling import favour  # noqa: E402
from benchmarks.fault_sender import CHUNK, N_CHANNELS, RATE_HZ  # noqa: E402
from benchmarks.faulty import FAULTS, NAMES  # noqa: E402
from benchmarks.line import Server, serving  # noqa: E402
from decoders.artifact import Artifact  # noqa: E402
from decoders.describe import describe, describe_pipeline  # noqa: E402
from devices.signal import Signal  # noqa: E402

NAME = f"harmed-{os.getpid()}"  # liblsl looks for a lost stream in everybody's sessions
VALUE, SLOPE = 0.25, 4.0
LEASE_S = 0.3
_RENEW_S = 0.08
_WAIT_S = 200.0
_SETTLED_S = 0.06
_PATIENCE_S = 45.0

_SESSION = """\
name = "{name}"
[device]
kind = "lsl"
name = "{name}"
gap_s = 0.03
[blocks]
hop_s = {hop_s}
[[stages]]
kind = "log_power"
window_s = 0.1
[decoder]
kind = "faulty"
byte = "{byte}"
model = "{name}.model"
[safety]
ttl_ms = 70 # two hops and 50 ms: whatever stands between decoder and effector, no longer
stale_ms = 150
lease_ms = {lease_ms}
"""


class Oracle:
    """The judging effector's process, as seen from here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._came = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._came:
                self.events.append(json.loads(line))
                self._came.notify_all()

    @property
    def is_moving(self) -> bool:
        """Whether it moves, and has for a moment."""
        last = self.events[-1] if self.events else {}
        return last.get("is") == "moving" and time.monotonic() - last["at_s"] > _SETTLED_S

    def was_neutral(self, at_s: float) -> bool:
        """Say whether it was neutral already at `at_s`."""
        before = [e for e in self.events if e.get("at_s", at_s) < at_s]
        return not before or before[-1]["is"] == "neutral"

    async def neutral(self, since_s: float, timeout_s: float) -> tuple[float, str] | None:
        """Wait until it is neutral at or after `since_s`; return when it was, and why."""
        try:
            async with asyncio.timeout(timeout_s), self._came:
                while True:
                    for event in self.events:
                        if event.get("is") == "neutral" and event["at_s"] >= since_s:
                            return event["at_s"], event["why"]
                    await self._came.wait()
        except TimeoutError:
            return None

    async def report(self) -> dict[str, Any]:
        """End it, and return its counts."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), _WAIT_S)
        await self._listening
        return self.events[-1]


class Hiccups:
    """How late this machine wakes somebody who only sleeps, beside what is measured.

    A process of its own, of the priority of the web process: a fault that took long while even
    this one had to wait says something of the machine.
    """

    _WORD = (
        "import sys, time; from bci_server.scheduling import favour; favour()\n"
        "while True:\n"
        "    due_s = time.monotonic() + 2e-3; time.sleep(2e-3)\n"
        "    late_s = time.monotonic() - due_s\n"
        "    if late_s > 5e-3:\n"
        "        print(due_s, late_s, flush=True)\n"
    )

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin to look."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._WORD, cwd=ROOT, stdout=subprocess.PIPE
        )
        self._listening = asyncio.create_task(self._listen(self._process))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            due_s, late_s = map(float, line.split())
            self._late.append((due_s, late_s))

    def within_ms(self, start_s: float, end_s: float) -> float:
        """Return the longest wait that reached into this time."""
        waits = [late for due, late in self._late if due < end_s and due + late > start_s]
        return 1e3 * max(waits, default=0.0)

    async def end(self) -> None:
        """Look no more."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening


class FaultLine:
    """The running line.

    Attributes
    ----------
    oracle
        The effector.
    client
        Who arms.
    hiccups
        Of the machine.
    n_helped
        How often the session had to be started anew though nothing asked for it.
    """

    def __init__(self, folder: Path, server: Server, client: Client, byte: Path) -> None:
        self.server = server
        self.client = client
        self.oracle: Oracle
        self.sender: asyncio.subprocess.Process
        self.hiccups = Hiccups()
        self.lease_ends_s = 0.0
        self.n_helped = 0
        self._folder = folder
        self._byte = byte
        self.is_renewing = True
        self.is_asking = False

    # who arms

    async def hold(self) -> None:
        """Arm whenever nobody is armed, and renew; forever."""
        limits = {name: Limit(VALUE, acceleration=SLOPE) for name in NAMES}
        is_armed = False
        while True:
            if not self.is_renewing:
                is_armed = False
            else:
                asked_s, self.is_asking = time.monotonic(), True
                try:
                    await (self.client.ask(Renew(id=0)) if is_armed else self.client.arm(limits))
                    is_armed, self.lease_ends_s = True, asked_s + LEASE_S
                except (CallRefused, Unreachable):
                    is_armed = False
                self.is_asking = False
            await asyncio.sleep(_RENEW_S)

    async def moving(self, timeout_s: float = _WAIT_S) -> None:
        """Wait until the effector moves; help where nothing that was done can be undone."""
        begun_s = helped_s = time.monotonic()
        while not self.oracle.is_moving:
            await asyncio.sleep(0.01)
            if time.monotonic() - helped_s > _PATIENCE_S:
                helped_s = time.monotonic()
                self.n_helped += 1
                await self.restart()
                await self.clear()
            if time.monotonic() - begun_s > timeout_s:
                what = await asyncio.to_thread(self.server.get, f"/v1/sessions/{NAME}")
                raise TimeoutError(f"it does not move: {self.oracle.events[-3:]}, {what}")

    # what is harmed

    def engine(self) -> psutil.Process:
        """Return the engine's process."""
        return self.server.child("bci_server.engine")

    def web(self) -> psutil.Process:
        """Return the web process."""
        return self.server.child("bci_server.web")

    async def tell_sender(self, words: str) -> float:
        """Have the sender do something; return when it did."""
        assert self.sender.stdin is not None
        assert self.sender.stdout is not None
        self.sender.stdin.write(f"{words}\n".encode())
        return float(await asyncio.wait_for(self.sender.stdout.readline(), _WAIT_S))

    async def decoder(self, fault: str) -> float:
        """Have the decoder fail."""
        with self._byte.open("r+b") as file:
            file.write(bytes([FAULTS.index(fault)]))
        return time.monotonic()

    async def new_sender(self) -> None:
        """Start the sender, again."""
        self.sender = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "benchmarks" / "fault_sender.py"),
            NAME,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    async def restart(self) -> None:
        """Start the engine anew."""
        await self.decoder("none")
        await asyncio.to_thread(self.server.post, f"/v1/sessions/{NAME}/restart")

    def break_line(self) -> None:
        """Break the connection of who arms, without a word."""
        line = self.client._line
        if line is not None:
            line._socket.transport.abort()

    async def clear(self) -> None:
        """Lift what has latched."""
        await self.decoder("none")
        with suppress(CallRefused, Unreachable):
            await self.client.clear()


@contextmanager
def _plugin(folder: Path) -> Iterator[None]:
    """Let this process's children find the faulty decoder, as one of a distribution."""
    info = folder / "site" / "faulty-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[bci_server.decoders]\nfaulty = benchmarks.faulty:Faulty\n"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), str(info.parent), *filter(None, [before])]
    )
    sys.path.append(str(info.parent))
    try:
        yield
    finally:
        sys.path.remove(str(info.parent))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _write(folder: Path, hop_s: float) -> tuple[Path, Path]:
    """Write the session, its model, and the byte that harms the decoder."""
    byte = folder / "byte"
    byte.write_bytes(b"\0")
    file = folder / f"{NAME}.toml"
    text = _SESSION.format(name=NAME, hop_s=hop_s, byte=byte, lease_ms=1e3 * LEASE_S)
    file.write_text(text)
    session = load_session(file)
    signal = Signal(RATE_HZ, tuple(f"C{i}" for i in range(N_CHANNELS)), "uV")
    Artifact(
        decoder=describe(session.decoder),
        pipeline=describe_pipeline(session.pipeline),
        signal=signal,
        labels=NAMES,
        unit="1",
        weights={"none": np.zeros(1)},
        training_sha256="0" * 64,
    ).save(session.model)
    return file, byte


@contextmanager
def load(n: int) -> Iterator[None]:
    """Keep `n` processors busy."""
    word = "import os; os.nice(-os.nice(0))\nwhile True: pass"  # whatever it inherits, as usual
    busy = [subprocess.Popen([sys.executable, "-c", word]) for _ in range(n)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


async def _connected(server: Server, stack: AsyncExitStack) -> Client:
    """Return a client that is connected: on a busy machine a server takes its time to start."""
    begun_s = time.monotonic()
    while True:
        try:
            client = connect(server.url, server.token, session=NAME)
            return await stack.enter_async_context(client)
        except Unreachable:
            if time.monotonic() - begun_s > _WAIT_S:
                raise


@asynccontextmanager
async def running(folder: Path, hop_s: float = CHUNK / RATE_HZ) -> AsyncIterator[FaultLine]:
    """Run the whole line until the block ends."""
    with _plugin(folder):
        file, byte = _write(folder, hop_s)
        with serving(file, folder) as server:
            async with AsyncExitStack() as stack:
                client = await _connected(server, stack)
                line = FaultLine(folder, server, client, byte)
                await line.new_sender()
                line.oracle = Oracle(
                    await asyncio.create_subprocess_exec(
                        sys.executable,
                        str(ROOT / "benchmarks" / "oracle.py"),
                        server.url,
                        str(folder / "token"),
                        NAME,
                        *(w for name in NAMES for w in ("--limit", f"{name}={VALUE},{SLOPE}")),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                    )
                )
                holding = asyncio.create_task(line.hold())
                niceness = os.getpriority(os.PRIO_PROCESS, 0)
                try:
                    await line.moving()
                    await line.hiccups.begin()
                    favour()  # who harms and measures is not what is measured
                    yield line
                finally:
                    os.setpriority(os.PRIO_PROCESS, 0, niceness)
                    holding.cancel()
                    await line.hiccups.end()
                    for process in (line.sender, line.oracle.process):
                        with suppress(ProcessLookupError):
                            process.kill()
                        await process.wait()
