"""The WebSocket of a session, on real sockets."""

import asyncio
import json

import msgspec
import pytest

from tests.bci_server.web.web_place import (
    TOKEN,
    VIEWER,
    command,
    marker,
    prediction,
    serving,
    status,
    token,
    until,
)

pytestmark = pytest.mark.anyio


async def test_greets_and_passes_on_what_the_engine_says(place):
    await place.engine.linked()
    async with place.websocket() as ws:
        hello = await ws.receive()
        assert hello["protocol"] == "bci.v1"
        assert hello["session"] == "demo"
        assert hello["epoch"] == place.live.hub.epoch
        assert set(hello["topics"]) >= {"commands", "tokens", "predictions", "status", "markers"}
        result = await ws.ask("subscribe", topics=["status", "commands"])
        assert result["ok"]
        assert result["seqs"] == {"status": 0, "commands": 0}
        place.engine.say(status(), command(sample=7), command(sample=9))
        assert (await ws.receive())["state"] == "running"
        first, second = await ws.receive(), await ws.receive()
    assert [first["seq"], second["seq"]] == [1, 2]
    assert [first["sample"], second["sample"]] == [7, 9]
    ledger = second["ledger"]
    assert ledger["sampled_s"] < ledger["received_s"] < ledger["decoded_s"] < ledger["published_s"]


async def test_speaks_msgpack_where_asked(place):
    async with place.subscribed("commands", subprotocols=["bci.v1.msgpack"]) as ws:
        assert ws.ws.subprotocol == "bci.v1.msgpack"
        place.publish(command(values=(0.125,)))
        assert (await ws.receive())["values"] == [0.125]


async def test_speaks_json_by_default(place):
    async with place.subscribed("markers") as ws:
        assert ws.ws.subprotocol is None
        place.publish(marker("go"))
        assert (await ws.receive())["label"] == "go"


async def test_only_what_was_asked_for_comes_and_no_more_after_unsubscribing(place):
    async with place.subscribed("markers", "predictions") as ws:
        place.publish(command(), marker("one"), prediction())
        assert (await ws.receive())["label"] == "one"
        assert (await ws.receive())["type"] == "prediction"
        await ws.ask("unsubscribe", topics=["markers"])
        place.publish(marker("two"), prediction())
        assert (await ws.receive())["type"] == "prediction"


async def test_a_ping_tells_the_servers_clock(place):
    async with place.subscribed("status") as ws:
        before_s = place.live.hub.clock.now()
        result = await ws.ask("ping", t=1.5)
        assert before_s <= result["server_s"] <= place.live.hub.clock.now()


async def test_each_call_to_the_engine_gets_its_one_result(place):
    await place.engine.linked()
    async with place.subscribed("status") as ws:
        assert (await ws.ask("marker", label="cue"))["sample"] == 1234
        assert (await ws.ask("arm", limits={"x": 0.5}))["lease_ms"] == 300.0
        for call in ("renew", "disarm", "stop", "clear"):
            assert (await ws.ask(call))["ok"]
    asked = [type(control).__name__ for control in place.engine.asked]
    assert asked[:2] == ["Mark", "ArmLease"]
    assert asked[2:6] == ["RenewLease", "DisarmLease", "StopNow", "ClearStop"]


async def test_a_holder_that_leaves_gives_the_lease_back(place):
    await place.engine.linked()
    async with place.subscribed("status") as ws:
        await ws.ask("arm")
    await until(lambda: len(place.engine.asked) == 2)
    assert type(place.engine.asked[1]).__name__ == "DisarmLease"
    assert place.engine.asked[1].holder == place.engine.asked[0].holder


async def test_a_call_without_an_engine_is_refused_with_the_fix():
    async with serving() as place:
        await place.engine.linked()
        await place.engine.aclose()
        await until(lambda: place.live.engine._line is None)
        async with place.subscribed("status") as ws:
            result = await ws.ask("arm")
    assert not result["ok"]
    assert "engine" in result["error"]
    assert "/v1/sessions/demo/start" in result["fix"]


async def test_stop_stills_the_effector_at_once_even_when_the_engine_is_silent(place):
    place.live.message(command())
    place.engine.mute = True
    await place.engine.linked()
    async with place.subscribed("commands") as ws:
        await ws.send(type="stop", id=9)
        message = await ws.receive()
        assert message["mode"] == "neutral"
        assert message["reason"] == "stopped"
        assert message["values"] == [0.0, 0.0]
        result = await ws.receive()
        assert not result["ok"]


async def test_resuming_brings_what_was_missed_first(place):
    async with place.subscribed("predictions", "markers") as ws:
        place.publish(prediction(sample=1), marker("a"))
        await ws.receive()
        await ws.receive()
    epoch = place.live.hub.epoch
    place.publish(prediction(sample=2), prediction(sample=3, decision="left"), marker("b"))
    async with place.websocket() as ws:
        await ws.receive()
        result = await ws.ask(
            "subscribe",
            topics=["predictions", "markers"],
            **{"from": {"epoch": epoch, "seq": {"predictions": 1, "markers": 1}}},
        )
        assert result["recovered"] is True
        place.publish(marker("c"))
        got = [await ws.receive() for _ in range(4)]
    assert [m["seq"] for m in got if m["type"] == "prediction"] == [2, 3]
    assert [m["label"] for m in got if m["type"] == "marker"] == ["b", "c"]


@pytest.mark.parametrize("since", [{"epoch": "of old", "seq": 1}, {"seq": 999_999}])
async def test_resuming_from_what_is_gone_says_so(place, since):
    place.publish(prediction(), prediction())
    since = {"epoch": place.live.hub.epoch, **since}
    async with place.websocket() as ws:
        await ws.receive()
        result = await ws.ask("subscribe", topics=["predictions"], **{"from": since})
    assert result["ok"]
    assert result["recovered"] is False


async def test_old_commands_do_not_come_again(place):
    place.publish(*(command(sample=n) for n in range(20)))
    async with place.websocket() as ws:
        await ws.receive()
        since = {"epoch": place.live.hub.epoch, "seq": 3}
        result = await ws.ask("subscribe", topics=["commands"], **{"from": since})
        assert result["recovered"] is True
        place.publish(command(sample=20))
        assert [(await ws.receive())["sample"] for _ in range(2)] == [19, 20]


async def test_thinning_spares_what_may_not_be_skipped(place):
    async with place.subscribed(
        "predictions", "tokens", "commands", subscribe={"rate_hz": 0.001}
    ) as ws:
        place.publish(*(prediction(sample=n) for n in range(50)))
        place.publish(prediction(sample=50, decision="left"))
        place.publish(*(token(1, f"w{n}", False) for n in range(50)), token(1, "word", True))
        place.publish(command(), command(), command(mode="neutral", reason="stale"), command())
        got = [await ws.receive() for _ in range(6)]
    assert [m["decision"] for m in got if m["type"] == "prediction"] == [None, "left"]
    assert [m["text"] for m in got if m["type"] == "token"] == ["w0", "word"]
    assert [m["reason"] for m in got if m["type"] == "command"] == ["", "stale"]


@pytest.mark.parametrize("subprotocol", ["bci.v2.json", "graphql-ws"])
async def test_an_unknown_subprotocol_is_told_which_there_are(place, subprotocol):
    async with place.websocket(subprotocols=[subprotocol]) as ws:
        error = await ws.receive()
        assert error["code"] == "unknown_subprotocol"
        assert "bci.v1.json" in error["fix"]
        assert "bci.v1.msgpack" in error["fix"]
        assert await ws.close_code() == 4406


async def test_an_unknown_session_is_told_which_there_are(place):
    async with place.websocket(place.url.replace("demo", "domo")) as ws:
        error = await ws.receive()
        assert error["code"] == "unknown_session"
        assert "demo" in error["fix"]
        assert await ws.close_code() == 4404


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"subscribe"',
        '{"type":"subscribe"}',
        '{"type":"subscribe","id":-1,"topics":["commands"]}',
        '{"type":"subscribe","id":1,"topics":["comands"]}',
        '{"type":"subscribe","id":1,"topics":["commands"],"rate_hz":0}',
        '{"type":"subscribe","id":1,"topics":["commands"],"form":{}}',
        '{"type":"fly","id":1}',
        '{"type":"marker","id":1,"label":""}',
        '{"type":"ping","id":1.5}',
        '{"type":"feedback","id":1,"kind":"praise"}',
        '{"type":"feedback","id":1,"kind":"target"}',
        '{"type":"feedback","id":1,"kind":"reward","values":[1,2]}',
        '{"type":"feedback","id":1,"kind":"error","sample":-1}',
        '{"type":"adapt","id":1,"action":"rollback"}',
        '{"type":"word","id":1,"text":"two words"}',
        '{"type":"word","id":1,"text":"Ayo","phonemes":["AY OW"]}',
        '{"type":"word","id":1,"text":"Ayo","phonemes":["A"]}',
        '{"type":"feedback","id":1,"kind":"speech","label":"reset"}',
        "[" * 60_000,
        '{"type":"ping","id":1,"t":' + "[" * 60_000,
    ],
)
async def test_a_message_that_is_none_is_answered_with_what_was_expected(place, text):
    async with place.websocket() as ws:
        await ws.receive()
        await ws.ws.send(text)
        error = await ws.receive()
        assert error["code"] == "bad_message"
        assert "subscribe" in error["fix"]
        assert "predictions" in error["fix"]
        assert await ws.close_code() == 4400


@pytest.mark.parametrize(
    ("subprotocol", "frame"),
    [
        ("bci.v1.json", msgspec.msgpack.encode({"type": "ping", "id": 1})),
        ("bci.v1.msgpack", json.dumps({"type": "ping", "id": 1})),
    ],
)
async def test_the_other_encodings_frames_are_refused(place, subprotocol, frame):
    async with place.websocket(subprotocols=[subprotocol]) as ws:
        await ws.receive()
        await ws.ws.send(frame)
        assert (await ws.receive())["code"] == "wrong_encoding"
        assert await ws.close_code() == 1003


async def test_an_oversize_message_closes_the_connection(place):
    async with place.websocket() as ws:
        await ws.receive()
        await ws.ws.send(json.dumps({"type": "marker", "id": 1, "label": "x" * 70_000}))
        assert await ws.close_code() == 1009


async def test_nothing_is_compressed(place):
    async with place.websocket(compression="deflate") as ws:
        assert ws.ws.protocol.extensions == []


async def test_one_client_too_many_is_turned_away():
    async with serving(max_clients=2) as place:
        async with (
            place.subscribed("status"),
            place.subscribed("status"),
            place.websocket() as third,
        ):
            error = await third.receive()
            assert error["code"] == "too_many_clients"
            assert await third.close_code() == 1013
        await until(lambda: place.services.crowd.n == 0)
        async with place.subscribed("status") as again:
            assert (await again.ask("ping"))["ok"]


async def test_a_viewer_sees_and_stops_but_moves_nothing(place):
    await place.engine.linked()
    async with place.subscribed("commands", token=VIEWER) as ws:
        for call in ({"kind": "arm"}, {"kind": "clear"}, {"kind": "marker", "label": "x"}):
            result = await ws.ask(**call)
            assert not result["ok"]
            assert "control" in result["error"]
        raw = await ws.ask("subscribe", topics=["signal"])
        assert not raw["ok"]
        assert "raw" in raw["error"]
        assert (await ws.ask("stop"))["ok"]
    assert [type(control).__name__ for control in place.engine.asked] == ["StopNow"]


async def test_the_token_may_come_as_the_first_message(place):
    async with place.websocket(token=None) as ws:
        await ws.send(type="auth", token=TOKEN)
        assert (await ws.receive())["type"] == "hello"


@pytest.mark.parametrize(
    "first",
    [
        {"type": "auth", "token": "wrong"},
        {"type": "auth", "token": ""},
        {"type": "auth", "token": "ü"},
        {"type": "ping", "id": 1},
    ],
)
async def test_a_wrong_first_message_is_turned_away(place, first):
    async with place.websocket(token=None) as ws:
        await ws.send(**first)
        assert (await ws.receive())["code"] == "unauthorized"
        assert await ws.close_code() == 4401


async def test_a_wrong_header_is_turned_away(place):
    async with place.websocket(token="wrong") as ws:
        error = await ws.receive()
        assert error["code"] == "unauthorized"
        assert TOKEN not in json.dumps(error)
        assert await ws.close_code() == 4401


async def test_who_says_nothing_is_turned_away():
    async with serving(auth_timeout_s=0.05) as place, place.websocket(token=None) as ws:
        assert (await ws.receive())["code"] == "unauthorized"
        assert await ws.close_code() == 4401


async def test_a_later_wrong_token_ends_the_conversation(place):
    async with place.subscribed("status") as ws:
        await ws.send(type="auth", token=TOKEN)
        await ws.send(type="auth", token="wrong")
        assert (await ws.receive())["code"] == "unauthorized"
        assert await ws.close_code() == 4401


async def test_a_ticket_is_good_once(place):
    async with place.rest(VIEWER) as http:
        response = await http.post("/v1/tickets")
    assert response.status_code == 201
    url = f"{place.url}?ticket={response.json()['ticket']}"
    async with place.websocket(url, token=None) as ws:
        assert (await ws.receive())["type"] == "hello"
        assert not (await ws.ask("arm"))["ok"]  # it allows what the token did, and no more
    async with place.websocket(url, token=None) as ws:
        assert (await ws.receive())["code"] == "unauthorized"
        assert await ws.close_code() == 4401


async def test_many_clients_get_the_same_in_the_same_order(place):
    async def listen(started: asyncio.Event) -> list[int]:
        async with place.subscribed("predictions") as ws:
            started.set()
            return [(await ws.receive())["seq"] for _ in range(100)]

    started = [asyncio.Event() for _ in range(20)]
    listeners = [asyncio.create_task(listen(event)) for event in started]
    for event in started:
        await event.wait()
    for n in range(100):
        place.publish(prediction(sample=n))
        await asyncio.sleep(0)
    assert await asyncio.gather(*listeners) == [list(range(1, 101))] * 20
