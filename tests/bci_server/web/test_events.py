"""Server-sent events, on real sockets."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from tests.bci_server.web.web_place import (
    TOKEN,
    VIEWER,
    check,
    command,
    marker,
    prediction,
    serving,
    until,
)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(place, query="", bearer=TOKEN, headers=None):
    async with (
        place.rest(bearer) as http,
        http.stream("GET", f"/v1/sessions/demo/events{query}", headers=headers) as response,
    ):
        yield response, _events(response)


async def _events(response):
    event = {}
    async for line in response.aiter_lines():
        if line:
            key, _, value = line.partition(": ")
            event[key] = value
        elif event:
            message = json.loads(event["data"])
            check(message)
            assert event["event"] == message["type"]
            yield event["id"], message
            event = {}


async def take(events, n):
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(n)]


async def test_the_same_messages_as_on_the_websocket(place):
    async with listening(place) as (response, events), place.subscribed("markers") as ws:
        assert response.headers["content-type"].startswith("text/event-stream")
        await until(lambda: len(place.live.hub.rates("markers")) == 2)
        place.publish(marker("a"), command(), prediction(decision="left"))
        (_, hello), *rest = await take(events, 4)
        assert hello["type"] == "hello"
        assert rest[0][1] == await ws.receive()
    assert [m["type"] for _, m in rest] == ["marker", "command", "prediction"]


async def test_a_browser_goes_on_where_it_was(place):
    async with listening(place, "?topics=markers") as (_, events):
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        place.publish(marker("a"))
        position = (await take(events, 2))[-1][0]
    await until(lambda: not place.live.hub.rates("markers"))
    place.publish(marker("b"))
    headers = {"Last-Event-ID": position}
    async with listening(place, "?topics=markers", headers=headers) as (_, events):
        (_, hello), (_, b) = await take(events, 2)
    assert hello["type"] == "hello"
    assert b["label"] == "b"


@pytest.mark.parametrize("position", ["nonsense", "/", "x/markers=", "x/markers=²,=,a=1"])
async def test_a_position_that_is_none_begins_now(place, position):
    place.publish(marker("a"))
    headers = {"Last-Event-ID": position.encode()}
    async with listening(place, "?topics=markers", headers=headers) as (_, events):
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        place.publish(marker("b"))
        _, (_, first) = await take(events, 2)
    assert first["label"] == "b"


@pytest.mark.parametrize(
    ("query", "bearer", "code"),
    [
        ("", None, 401),
        ("", "wrong", 401),
        ("?topics=signal", VIEWER, 403),
        ("?topics=comands", TOKEN, 422),
        ("?topics=", TOKEN, 422),
        ("?rate_hz=inf", TOKEN, 422),
        ("?ticket=used", None, 401),
    ],
)
async def test_what_is_refused(place, query, bearer, code):
    async with listening(place, query, bearer) as (response, _):
        assert response.status_code == code
        assert set(json.loads(await response.aread())) == {"code", "cause", "fix"}


async def test_a_ticket_will_do(place):
    async with place.rest() as http:
        ticket = (await http.post("/v1/tickets")).json()["ticket"]
    async with listening(place, f"?ticket={ticket}", None) as (_, events):
        assert (await take(events, 1))[0][1]["type"] == "hello"


async def test_listeners_are_counted_and_limited():
    async with serving(max_clients=1) as place:
        async with listening(place) as (_, events):
            await take(events, 1)
            async with listening(place) as (response, _):
                assert response.status_code == 503
        await until(lambda: place.services.crowd.n == 0)
        assert not place.live.clients


async def test_a_listener_that_cannot_follow_is_told_and_closed(place):
    async with listening(place, "?topics=markers") as (_, events):
        await take(events, 1)
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        place.publish(*(marker(f"{n}") for n in range(600)))
        async with asyncio.timeout(20):
            got = [message async for _, message in events]
    assert got[-1]["code"] == "too_slow"
    assert place.services.crowd.n_too_slow == 1
