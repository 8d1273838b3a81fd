"""Whatever a client sends, it gets an answer or an error, and the server goes on."""

import asyncio
import json
import logging

import msgspec
import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci_server.web.hub import TOPICS
from tests.bci_server.web.web_place import Socket, command, serving, status

_leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
)
_values = st.recursive(
    _leaf, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=6), v, max_size=3)
)
_KINDS = "auth subscribe unsubscribe ping marker arm renew disarm stop clear fly"
_kinds = st.sampled_from(_KINDS.split())
_fields = st.fixed_dictionaries(
    {"type": _kinds},
    optional={
        "id": st.integers(-1, 2**64) | _leaf,
        "topics": st.lists(st.sampled_from((*TOPICS, "explanations")), max_size=4) | _values,
        "from": st.fixed_dictionaries(
            {},
            optional={
                "epoch": st.text(max_size=8),
                "seq": st.integers(-3, 2**64) | st.dictionaries(st.sampled_from(TOPICS), _leaf),
            },
        )
        | _values,
        "rate_hz": st.floats(allow_nan=False, allow_infinity=False) | _leaf,
        "label": st.text(max_size=300),
        "t": _leaf,
        "limits": st.dictionaries(st.text(max_size=3), st.floats(-1, 1), max_size=2) | _values,
        "token": st.text(max_size=20),
        "else": _values,
    },
)
_messages = st.one_of(
    _fields.map(json.dumps),
    _values.map(json.dumps),
    st.text(max_size=60),
    st.binary(max_size=60),
    _fields.filter(lambda m: _fits(m)).map(msgspec.msgpack.encode),
)


def _fits(message):
    try:
        msgspec.msgpack.encode(message)
    except OverflowError:
        return False
    return True


@pytest.fixture
def loop():
    with asyncio.Runner() as runner:
        yield runner


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(_messages, min_size=1, max_size=6),
    st.sampled_from([None, ["bci.v1.json"], ["bci.v1.msgpack"]]),
    st.booleans(),
)
def _converses(world, messages, subprotocols, says_token):
    runner, place, logged = world

    async def converse():
        token = {} if says_token else {"token": None}
        async with place.websocket(subprotocols=subprotocols, **token) as ws:
            for message in messages:
                await ws.ws.send(message)
            await _drain(ws)
        async with place.subscribed("commands") as ws:
            place.publish(command(sample=1))
            assert (await ws.receive())["sample"] == 1

    runner.run(converse())
    assert logged == []


async def _drain(ws: Socket) -> None:
    """Fetch all that comes until a ping is answered or the server closes; each is checked."""
    ping = {"type": "ping", "id": 2**31, "t": 0.0}
    try:
        await ws.send(**ping)
        while (message := await ws.receive()).get("id") != ping["id"]:
            assert message["type"] in {"hello", "result", "error", "command", "status"}
    except ConnectionError:
        raise
    except Exception as closed:
        if type(closed).__name__ not in ("ConnectionClosedOK", "ConnectionClosedError"):
            raise
        assert ws.ws.close_code in (1003, 4400, 4401)


def test_whatever_a_client_sends_it_is_answered_and_the_server_goes_on(loop):
    logged = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: logged.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    context = serving(auth_timeout_s=0.1)
    place = loop.run(context.__aenter__())
    try:
        loop.run(place.engine.linked())
        place.live.message(status())
        _converses((loop, place, logged))
    finally:
        loop.run(context.__aexit__(None, None, None))
        logging.getLogger().removeHandler(handler)


def test_nothing_blocks_the_event_loop(loop):
    async def live():
        async with serving() as place:
            await place.engine.linked()
            blockbuster = BlockBuster()
            blockbuster.activate()
            try:
                async with place.subscribed("commands", "status") as ws, place.rest() as http:
                    place.engine.say(status(), command())
                    assert (await ws.receive_of("command"))["seq"] == 1
                    assert (await ws.ask("marker", label="x"))["ok"]
                    for path in (
                        "/healthz",
                        "/metrics",
                        "/v1/sessions",
                        "/v1/models",
                        "/v1/devices",
                    ):
                        assert (await http.get(path)).status_code == 200
                    assert (await http.post("/v1/tickets")).status_code == 201
            finally:
                blockbuster.deactivate()

    loop.run(live())
