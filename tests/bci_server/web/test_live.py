"""A session as clients see it when its engine starts, hangs, dies, and comes back."""

import asyncio

import pytest

from bci_server.control import SessionRecord, Sessions, WatchSignal
from tests.bci_server.web.web_place import command, marker, status, until

pytestmark = pytest.mark.anyio


def record(place, **fields):
    defaults = {"file": "demo.toml", "socket": place.engine.path, "process": "running", "run": 1}
    return Sessions(sessions=(SessionRecord(name="demo", **{**defaults, **fields}),))


async def test_when_the_engine_dies_every_client_is_told_neutral(place):
    await place.engine.linked()
    async with place.subscribed("commands", "status") as one, place.subscribed("commands") as two:
        place.engine.say(status(), command(values=(1.0, -1.0), armed=True))
        await one.receive_of("command")
        await two.receive()
        await place.engine.die()
        for ws in (one, two):
            neutral = await ws.receive_of("command")
            assert (neutral["mode"], neutral["reason"]) == ("neutral", "engine_lost")
            assert neutral["values"] == [0.0, 0.0]
            assert neutral["armed"] is False
            assert neutral["quality"] == "bad"
        failed = await one.receive_of("status")
    assert (failed["state"], failed["reason"]) == ("failed", "the engine died")


async def test_when_the_engine_hangs_clients_are_told_within_the_half_second(place):
    await place.engine.linked()
    async with place.subscribed("commands", "status") as ws:
        place.engine.say(status(), command())
        await ws.receive_of("command")
        started_s = place.live.hub.clock.now()
        neutral = await ws.receive_of("command")  # nothing is said any more
        assert neutral["reason"] == "engine_lost"
        assert neutral["ledger"]["published_s"] - started_s < 5.0
        stalled = await ws.receive_of("status")
        assert (stalled["state"], stalled["reason"]) == ("stalled", "the engine does not answer")
        place.engine.say(command(sample=5), status())
        assert (await ws.receive_of("command"))["mode"] == "velocity"
        assert (await ws.receive_of("status"))["state"] == "running"


async def test_an_engine_that_hung_wakes_up_disarmed(place):
    await place.engine.linked()
    async with place.subscribed("commands") as ws:
        place.engine.say(status(), command())
        await ws.receive_of("command")
        await ws.ask("arm")
        await until(lambda: any(type(c).__name__ == "DisarmLease" for c in place.engine.asked))


async def test_an_engine_that_ends_says_so(place):
    await place.engine.linked()
    async with place.subscribed("commands", "status") as ws:
        place.engine.say(status(), command())
        await ws.receive_of("command")
        await place.engine.end("ended")
        assert (await ws.receive_of("command"))["reason"] == "ended"
        assert (await ws.receive_of("status"))["state"] == "ended"


async def test_a_new_engine_begins_a_new_epoch_on_the_same_connection(place):
    await place.engine.linked()
    async with place.websocket() as ws:
        before = (await ws.receive())["epoch"]
        await ws.ask("subscribe", topics=["markers"])
        place.engine.say(marker("a"), marker("b"))
        assert [(await ws.receive())["seq"] for _ in range(2)] == [1, 2]
        await place.engine.die()
        await place.engine.linked()
        place.engine.say(marker("c"))
        assert (await ws.receive())["epoch"] != before
        assert (await ws.receive())["seq"] == 1


async def test_the_first_engine_begins_none(place):
    await place.engine.linked()
    async with place.websocket() as ws:
        await ws.receive()
        await ws.ask("subscribe", topics=["markers"])
        place.engine.say(marker("a"))
        assert (await ws.receive())["label"] == "a"


async def test_the_engine_is_asked_for_the_signal_only_while_somebody_looks(place):
    await place.engine.linked()

    def rates():
        return [c.rate_hz for c in place.engine.asked if isinstance(c, WatchSignal)]

    async with place.subscribed("signal", subscribe={"rate_hz": 50.0}):
        await until(lambda: rates() == [50.0])
        async with place.subscribed("signal"):
            await until(lambda: rates() == [50.0, 250.0])
        await until(lambda: rates() == [50.0, 250.0, 50.0])
        await place.engine.die()
        await place.engine.linked()
        place.engine.say(status())
        await until(lambda: rates() == [50.0, 250.0, 50.0, 50.0])
    await until(lambda: rates()[-1] is None)


async def test_a_state_that_cannot_be_is_taken_as_said(place):
    place.live.message(status("running"))
    place.live.message(status("idle"))
    place.live.message(status("stalled"))
    assert place.live.state == "stalled"


async def test_what_the_supervisor_knows_is_said(place):
    directory = place.services.directory
    async with place.subscribed("status") as ws:
        directory.apply(record(place, run=2))
        assert (await ws.receive())["state"] == "starting"
        directory.apply(record(place, run=2, process="exited", reason="killed by signal 9"))
        failed = await ws.receive()
        assert (failed["state"], failed["reason"]) == ("failed", "killed by signal 9")
        directory.apply(record(place, run=2, process="stopped"))
        assert (await ws.receive())["state"] == "idle"


async def test_a_line_that_breaks_for_a_defect_of_ours_is_not_hidden(place):
    async def broken():
        raise ValueError("a defect")

    place.services.directory._lines["demo"].cancel()
    place.live.engine.run = broken
    place.services.directory.add(place.live)
    async with asyncio.timeout(10):
        await place.services.directory.broke.wait()
    assert str(place.services.directory.broken) == "a defect"
