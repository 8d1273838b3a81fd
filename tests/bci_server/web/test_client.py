"""The Python client against the real server."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bci_server.client import (
    CallRefused,
    LeaseLost,
    Lost,
    Rejected,
    UnknownSession,
    Unreachable,
    WrongToken,
    connect,
)
from bci_server.client.clock_offset import ClockOffset
from bci_server.client.line import stream_address
from bci_server.wire import CommandMessage, MarkerMessage, PredictionMessage
from tests.bci_server.web.web_place import (
    TOKEN,
    VIEWER,
    command,
    marker,
    prediction,
    signal,
    status,
    until,
)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(place, client, *topics, **options):
    """Fetch in the background what `client` is sent; wait until the server knows."""
    got = []

    async def fetch():
        async for message in client.subscribe(*topics, **options):
            got.append(message)

    n_before = len(place.live.hub.rates(topics[0]))
    fetching = asyncio.create_task(fetch())
    await until(lambda: len(place.live.hub.rates(topics[0])) > n_before or fetching.done())
    try:
        yield got
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


def cut(place):
    """Break every connection as a network would."""
    for connection in tuple(place.server.server_state.connections):
        connection.transport.abort()


@pytest.mark.parametrize("msgpack", [False, True])
async def test_messages_are_typed(place, msgpack):
    async with (
        connect(place.http, TOKEN, session="demo", msgpack=msgpack) as client,
        listening(place, client, "commands", "predictions") as got,
    ):
        place.publish(command(values=(0.25,)), prediction(decision="left"))
        await until(lambda: len(got) == 2)
        assert client.hello.session == "demo"
        assert 0.0 < client.age_s(got[0]) < 20.0
    assert isinstance(got[0], CommandMessage)
    assert got[0].values == (0.25,)
    assert isinstance(got[1], PredictionMessage)
    assert got[1].decision == "left"


async def test_goes_on_where_it_was_after_a_break(place):
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "markers") as got,
    ):
        place.publish(marker("a"))
        await until(lambda: len(got) == 1)
        cut(place)
        place.publish(marker("b"))
        await until(lambda: len(got) == 2)
        place.publish(marker("c"))
        await until(lambda: len(got) == 3)
        assert client.is_connected
    assert [m.label for m in got] == ["a", "b", "c"]
    assert [m.seq for m in got] == [1, 2, 3]


async def test_a_break_before_the_first_message_loses_nothing(place):
    place.publish(marker("before"))
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "markers") as got,
    ):
        cut(place)
        place.publish(marker("a"))
        await until(lambda: len(got) == 1)
    assert got[0].label == "a"


async def test_says_what_could_not_be_had_any_more(place):
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "status") as got,
    ):
        place.publish(status())
        await until(lambda: len(got) == 1)
        cut(place)
        place.publish(*(status(deadline_misses=n) for n in range(300)))
        await until(lambda: len(got) == 1 + 1 + 256)
    assert got[1] == Lost(("status",), "gone")
    assert got[-1].deadline_misses == 299


async def test_says_when_the_session_began_anew_while_it_was_away(place):
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "markers") as got,
    ):
        place.publish(marker("a"))
        await until(lambda: len(got) == 1)
        cut(place)
        place.live.hub.restart()
        await until(lambda: len(place.live.hub.rates("markers")) == 1 and len(got) == 2)
        place.publish(marker("b"))
        await until(lambda: len(got) == 3)
    assert got[1] == Lost(("markers",), "restarted")
    assert (got[2].label, got[2].seq) == ("b", 1)


async def test_says_when_the_session_begins_anew_under_its_eyes(place):
    await place.engine.linked()
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "markers") as got,
    ):
        place.engine.say(marker("a"))
        await until(lambda: len(got) == 1)
        epoch = client.hello.epoch
        await place.engine.end()
        await place.engine.linked()
        place.engine.say(marker("b"))
        await until(lambda: len(got) == 3)
        assert client.hello.epoch != epoch
    assert got[1] == Lost(("markers",), "restarted")
    assert got[2].seq == 1


async def test_tells_how_much_of_a_display_was_dropped(place):
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "signal") as got,
    ):
        for n in range(1500):
            place.publish(signal(n, n=100))
        await until(lambda: bool(got) and getattr(got[-1], "sample", None) == 1499)
    lost = [item.n for item in got if isinstance(item, Lost)]
    assert lost
    assert sum(lost) + len(got) - len(lost) == 1500


async def test_two_subscriptions_on_one_connection(place):
    async with (
        connect(place.url, TOKEN) as client,
        listening(place, client, "markers", "commands") as one,
    ):
        async with listening(place, client, "predictions", "markers") as other:
            place.publish(marker("a"), prediction())
            await until(lambda: len(one) == 1 and len(other) == 2)
        await until(lambda: not place.live.hub.rates("predictions"))
        place.publish(marker("b"))
        await until(lambda: len(one) == 2)
    assert all(isinstance(m, MarkerMessage) for m in one)


async def test_a_wait_that_is_given_up_loses_nothing(place):
    async with connect(place.url, TOKEN) as client:
        messages = client.subscribe("markers")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(messages), 0.001)  # before the server knows, perhaps
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(messages), 0.001)
        place.publish(marker("a"), marker("b"))
        async with asyncio.timeout(20):
            assert [(await anext(messages)).label for _ in range(2)] == ["a", "b"]
        await messages.aclose()
        await until(lambda: not place.live.hub.rates("markers"))
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_who_leaves_the_loop_need_not_say_so(place):
    async with connect(place.url, TOKEN) as client:
        waiting = asyncio.ensure_future(_first(client.subscribe("markers")))
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        place.publish(marker("a"))
        assert (await waiting).label == "a"
        await until(lambda: not place.live.hub.rates("markers"))


async def _first(messages):
    async for message in messages:
        return message


async def test_a_call_that_waits_is_told_when_the_client_is_closed(place):
    client = connect(place.url, TOKEN, session="demo")
    async with client:
        client._line.send = _nowhere  # as into a network that lets nothing through
        waiting = asyncio.create_task(client.ping())
        await asyncio.sleep(0)
    async with asyncio.timeout(2.0):
        with pytest.raises(Unreachable, match="closed"):
            await waiting


async def _nowhere(call):
    """Send nothing."""


async def test_calls(place):
    await place.engine.linked()
    async with connect(place.url, TOKEN) as client:
        assert await client.marker("cue") == 1234
        assert (await client.arm({"x": 1.0})).lease_ms == 300.0
        await client.stimulate("S1", 40.0, 200.0, 100.0, 0.1)
        await client.disarm()
        await client.stop()
        await client.clear()
        assert await client.ping() < 20.0
        assert abs(client.clock.offset_s) <= client.clock.error_s + 0.001
    kinds = [type(c).__name__ for c in place.engine.asked]
    assert kinds == ["Mark", "ArmLease", "GiveStimulus", "DisarmLease", "StopNow", "ClearStop"]


async def test_a_block_under_arms_renews_its_lease_and_gives_it_back(place):
    await place.engine.linked()

    def kinds():
        return [type(c).__name__ for c in place.engine.asked]

    async with connect(place.url, TOKEN) as client:
        async with client.armed():
            await until(lambda: kinds().count("RenewLease") >= 2)
        assert kinds()[-1] == "DisarmLease"


async def test_a_block_under_arms_ends_with_its_lease(place):
    await place.engine.linked()
    async with connect(place.url, TOKEN) as client:

        async def drive():
            async with client.armed():
                await place.engine.aclose()
                await asyncio.Event().wait()

        with pytest.raises(LeaseLost):
            await drive()
        assert asyncio.current_task().cancelling() == 0


async def test_a_block_that_is_cancelled_from_outside_stays_cancelled(place):
    await place.engine.linked()
    async with connect(place.url, TOKEN) as client:

        async def drive(armed):
            async with client.armed():
                armed.set()
                await asyncio.Event().wait()

        armed = asyncio.Event()
        driving = asyncio.create_task(drive(armed))
        await armed.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
    assert type(place.engine.asked[-1]).__name__ == "DisarmLease"


async def test_a_call_that_is_refused_says_why_and_how_to_mend_it(place):
    async with connect(place.url, VIEWER) as client:
        with pytest.raises(CallRefused, match=r"scope `control`.*BCI_TOKENS"):
            await client.arm()
        with pytest.raises(CallRefused, match="scope `raw`"):
            async for _ in client.subscribe("signal"):
                pass
        with pytest.raises(CallRefused, match="scope `raw`"):
            await client.subscribe("signal").__anext__()


async def test_refusals_at_the_door(place):
    with pytest.raises(WrongToken, match="token"):
        await connect(place.url, "wrong").__aenter__()
    with pytest.raises(UnknownSession, match=r"domo.*demo"):
        await connect(place.http, TOKEN, session="domo").__aenter__()
    with pytest.raises(Rejected, match="403"):
        await connect(f"{place.http}/elsewhere", TOKEN, session="demo").__aenter__()


async def test_nobody_there(place):
    with pytest.raises(Unreachable, match=r"no server answers at ws://127\.0\.0\.1:1/"):
        await connect("ws://127.0.0.1:1", TOKEN, session="demo").__aenter__()


async def test_a_server_that_is_being_started_is_waited_for(place, monkeypatch):
    monkeypatch.setattr("bci_server.client.connection._NEXT_PATIENCE_S", 0.05)
    reads = asyncio.Event()

    async def be_started(reader, writer):
        await reads.wait()
        there, back = await asyncio.open_connection("127.0.0.1", place.port)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(be_started, "127.0.0.1")
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = connect(url, TOKEN, session="demo")
    connecting = asyncio.create_task(client.__aenter__())
    assert not (await asyncio.wait([connecting], timeout=0.3))[0]
    reads.set()
    await connecting
    assert client.hello.session == "demo"
    await client.__aexit__(None, None, None)
    server.close()


async def _pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_client_that_is_not_taken_back_says_so_where_it_listens(place):
    async with connect(place.url, TOKEN) as client:

        async def fetch():
            async for _ in client.subscribe("markers"):
                pass

        fetching = asyncio.create_task(fetch())
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        place.services.tokens._grants.clear()
        cut(place)
        with pytest.raises(WrongToken):
            await fetching
        with pytest.raises(WrongToken):
            await anext(client.subscribe("markers"))


@pytest.mark.parametrize(
    ("url", "session", "address"),
    [
        ("ws://h:1", "s", "ws://h:1/v1/sessions/s/stream"),
        ("http://h:1/", "s", "ws://h:1/v1/sessions/s/stream"),
        ("https://h/prefix", "s", "wss://h/prefix/v1/sessions/s/stream"),
        ("wss://h/v1/sessions/x/stream", None, "wss://h/v1/sessions/x/stream"),
        ("ws://h", "a b/c", "ws://h/v1/sessions/a%20b%2Fc/stream"),
    ],
)
def test_addresses(url, session, address):
    assert stream_address(url, session) == address


@pytest.mark.parametrize(("url", "session"), [("h:1", "s"), ("ftp://h", "s"), ("ws://h", None)])
def test_addresses_that_are_none(url, session):
    with pytest.raises(ValueError, match=r"address|session"):
        stream_address(url, session)


def test_the_fastest_ping_tells_the_offset():
    clock = ClockOffset(n=3)
    assert clock.offset_s == 0.0
    clock.add(10.0, 110.9, 11.0)
    clock.add(20.0, 120.05, 20.1)
    assert clock.offset_s == pytest.approx(100.0)
    assert clock.error_s == pytest.approx(0.05)
    for _ in range(3):
        clock.add(30.0, 131.0, 31.0)
    assert clock.offset_s == pytest.approx(100.5)


async def test_feedback_and_switches_reach_the_engine_as_they_were_said(place):
    await place.engine.linked()
    async with connect(place.http, TOKEN, session="demo") as client:
        assert await client.feedback("target", "up", (0.1, -0.2)) == 1234
        await client.feedback("label", "left", sample=99)
        await client.adapt("off")
        await client.adapt("rollback", 3)
        with pytest.raises(ValueError, match="one number"):
            await client.feedback("reward")
    target, label, off, rollback = place.engine.asked[:4]
    assert (target.kind, target.label, target.values) == ("target", "up", (0.1, -0.2))
    assert (target.sample, target.source) == (None, "client")
    assert (label.kind, label.label, label.sample) == ("label", "left", 99)
    assert (off.kind, off.label, off.values) == ("adapt", "off", ())
    assert (rollback.kind, rollback.label, rollback.values) == ("adapt", "rollback", (3.0,))


async def test_what_is_asked_of_speech_reaches_the_engine_as_it_was_said(place):
    await place.engine.linked()
    async with connect(place.http, TOKEN, session="demo") as client:
        assert await client.finalize() == 1234
        await client.reset()
        await client.wrong()
        await client.wrong("I am  fine: thanks")
        await client.word("Kalina", ("K", "AH", "L"))
        with pytest.raises(ValueError, match="ARPAbet"):
            await client.word("Kalina", ("K", "AH0"))
        with pytest.raises(ValueError, match="one word"):
            await client.word("Ka lina")
    asked = place.engine.asked[:5]
    assert [a.kind for a in asked] == ["speech"] * 5
    assert [a.label for a in asked] == [
        "finalize",
        "reset",
        "wrong",
        "wrong I am fine: thanks",
        "word Kalina K AH L",
    ]


async def test_who_may_only_view_teaches_nothing(place):
    await place.engine.linked()
    async with connect(place.http, VIEWER, session="demo") as client:
        with pytest.raises(CallRefused, match="control"):
            await client.feedback("error")
        with pytest.raises(CallRefused, match="control"):
            await client.adapt("off")
        for asked in (client.finalize(), client.reset(), client.wrong("no"), client.word("Ayo")):
            with pytest.raises(CallRefused, match="control"):
                await asked
    assert not [c for c in place.engine.asked if type(c).__name__ == "Mark"]
