"""What is done to a line to harm it, and how it is mended: every kind of fault is in `DEEDS`."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bci_server.calls import Limit
from bci_server.client import CallRefused
from benchmarks.fault_line import SLOPE, VALUE, FaultLine
from benchmarks.fault_sender import RATE_HZ
from benchmarks.faulty import NAMES


@dataclass(frozen=True)
class Deed:
    """One kind of fault.

    Parameters
    ----------
    do
        Does it; returns when it was done, on the monotonic clock.
    mend
        Makes the line whole again.
    restarts
        An engine has to be started anew: it takes seconds.
    """

    do: Callable[[FaultLine], Awaitable[float]]
    mend: Callable[[FaultLine], Awaitable[None]]
    restarts: bool = False


async def _nothing(line: FaultLine) -> None:
    await asyncio.sleep(0)


def _signal(which: str, what: str) -> Callable[[FaultLine], Awaitable[float]]:
    async def do(line: FaultLine) -> float:
        process = line.engine() if which == "engine" else line.web()
        if which == "sender":
            process = psutil.Process(line.sender.pid)
        elif which == "oracle":
            process = psutil.Process(line.oracle.process.pid)
        at_s = time.monotonic()
        getattr(process, what)()
        return at_s

    return do


def _resume(which: str, after_s: float = 0.3) -> Callable[[FaultLine], Awaitable[None]]:
    async def mend(line: FaultLine) -> None:
        await asyncio.sleep(after_s)
        await _signal(which, "resume")(line)

    return mend


def _sends(words: str) -> Callable[[FaultLine], Awaitable[float]]:
    return lambda line: line.tell_sender(words)


def _decodes(fault: str) -> Callable[[FaultLine], Awaitable[float]]:
    return lambda line: line.decoder(fault)


async def _normal(line: FaultLine) -> None:
    await line.tell_sender("normal")


async def _sends_again(line: FaultLine) -> None:
    await line.tell_sender(f"return {RATE_HZ:g}")


async def _decodes_again(line: FaultLine) -> None:
    await line.decoder("none")


async def _returns_otherwise(line: FaultLine) -> float:
    at_s = await line.tell_sender("vanish")
    await line.tell_sender(f"return {RATE_HZ / 2:g}")
    return at_s


async def _honest(line: FaultLine) -> None:
    """Let the sender be what it was. The session has failed, or does not trust it: begin anew."""
    await asyncio.sleep(0.5)
    await line.tell_sender("honest")
    await line.restart()


async def _new_sender(line: FaultLine) -> None:
    await line.sender.wait()
    await line.new_sender()


async def _loses_lease(line: FaultLine) -> float:
    at_s = time.monotonic()
    await line.client.disarm()
    return at_s


async def _line_of_holder_breaks(line: FaultLine) -> float:
    while not line.client.is_connected:  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0.005)
    at_s = time.monotonic()
    line.break_line()
    return at_s


async def _holder_freezes(line: FaultLine) -> float:
    """Renew no more. What counts is when the lease ends: until then it may be renewed."""
    line.is_renewing = False
    while line.is_asking:  # noqa: ASYNC110 - one that is on its way counts too
        await asyncio.sleep(0.005)
    await asyncio.sleep(max(0.0, line.lease_ends_s - time.monotonic()))
    return line.lease_ends_s


async def _holder_thaws(line: FaultLine) -> None:
    line.is_renewing = True


async def _effector_freezes(line: FaultLine) -> float:
    """Stop the effector, and let it go on: what came meanwhile is old."""
    process = psutil.Process(line.oracle.process.pid)
    process.suspend()
    await asyncio.sleep(0.4)
    at_s = time.monotonic()
    process.resume()
    return at_s


async def _stops(line: FaultLine) -> float:
    at_s = time.monotonic()
    await line.client.stop()
    return at_s


async def _disk_is_full(line: FaultLine) -> float:
    """Let the engine write no file any more; the next transition cannot be kept."""
    engine = line.engine()
    engine.rlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    at_s = time.monotonic()
    with suppress(CallRefused):
        await line.client.arm({name: Limit(VALUE, acceleration=SLOPE) for name in NAMES})
    return at_s


DEEDS: dict[str, Deed] = {
    "decoder raises": Deed(_decodes("raises"), FaultLine.restart, True),
    "decoder says NaN": Deed(_decodes("nan"), FaultLine.clear),
    "decoder says infinite": Deed(_decodes("infinite"), FaultLine.clear),
    "decoder says another unit": Deed(_decodes("other unit"), FaultLine.clear),
    "decoder takes 150 ms": Deed(_decodes("slow"), _decodes_again),
    "decoder hangs": Deed(_decodes("hangs"), _decodes_again),
    "engine killed": Deed(_signal("engine", "kill"), FaultLine.restart, True),
    "engine stopped": Deed(_signal("engine", "suspend"), _resume("engine")),
    "web process killed": Deed(_signal("web", "kill"), _nothing),
    "web process stopped": Deed(_signal("web", "suspend"), _resume("web", 0.6)),
    "sender killed": Deed(_signal("sender", "kill"), _new_sender),
    "sender stopped": Deed(_signal("sender", "suspend"), _resume("sender")),
    "outlet vanishes": Deed(_sends("vanish"), _sends_again),
    "outlet returns at another rate": Deed(_returns_otherwise, _honest, True),
    "outlet is forged": Deed(_sends("forge"), _honest, True),
    "samples are NaN": Deed(_sends("nan"), _normal),
    "samples are flat": Deed(_sends("flat"), _normal),
    "samples are at the rail": Deed(_sends("rail"), _normal),
    "60 ms of samples dropped": Deed(_sends("drop"), _nothing),
    "60 ms of samples sent twice": Deed(_sends("duplicate"), _nothing),
    "clock jumps ahead 60 s": Deed(_sends("jump 60"), _nothing),
    "clock jumps back 60 s": Deed(_sends("jump -60"), _nothing),
    "clock jumps there and back 41 times": Deed(_sends("jumps 60 41"), _nothing),
    "disarmed": Deed(_loses_lease, _nothing),
    "holder's line breaks": Deed(_line_of_holder_breaks, _nothing),
    "holder freezes (from the lease's end)": Deed(_holder_freezes, _holder_thaws),
    "effector freezes (from its thaw)": Deed(_effector_freezes, _nothing),
    "stop": Deed(_stops, FaultLine.clear),
    "disk full": Deed(_disk_is_full, FaultLine.restart, True),
}
