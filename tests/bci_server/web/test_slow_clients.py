"""A client that does not read costs itself, and nobody else."""

import asyncio
import json
import struct
from contextlib import AsyncExitStack

import pytest

from bci_server.web.sockets import PromptProtocol
from tests.bci_server.web.web_place import check, command, marker, serving, signal, until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(PromptProtocol, "grace_s", 0.3)


async def _seqs(ws, n):
    seqs = [(await ws.receive())["seq"]]
    async with asyncio.timeout(60):  # each checked against its schema would take a minute
        seqs += [json.loads(await ws.ws.recv())["seq"] for _ in range(n - 1)]
    return seqs


async def test_ten_frozen_of_a_hundred_change_nothing_for_the_others(place):
    n_rounds, n_good, n_frozen = 200, 90, 10
    async with AsyncExitStack() as stack:
        good = [
            await stack.enter_async_context(place.subscribed("commands")) for _ in range(n_good)
        ]
        for _ in range(n_frozen):
            await stack.enter_async_context(place.frozen("signal", "commands"))
        await until(lambda: len(place.live.hub.rates("signal")) == n_frozen)
        listening = [asyncio.create_task(_seqs(ws, n_rounds)) for ws in good]
        for n in range(n_rounds):
            place.publish(signal(n, n=200), command(n))
            await asyncio.sleep(0)
        got = await asyncio.gather(*listening)
        frozen = [c for c in place.live.clients if c.pending]
        async with place.rest() as http:
            figures = (await http.get("/metrics")).text
        buffered = [
            connection.transport.get_write_buffer_size()
            for connection in place.server.server_state.connections
        ]
    assert got == [list(range(1, n_rounds + 1))] * n_good
    assert len(frozen) == n_frozen
    assert all(len(c.pending) <= 16 + 1 for c in frozen)
    assert max(buffered) < 100_000
    assert _figure(figures, "bci_dropped_total") > 1000
    assert _figure(figures, "bci_replaced_total") > 1000
    assert _figure(figures, "bci_waiting") <= 17 * n_frozen
    assert place.services.crowd.n_too_slow == 0


def _figure(figures, name):
    (line,) = [line for line in figures.splitlines() if line.startswith(name + "{")]
    return float(line.rpartition(" ")[2])


async def test_who_cannot_follow_what_is_lossless_is_closed_and_may_come_back(place, monkeypatch):
    monkeypatch.setattr(PromptProtocol, "grace_s", 60.0)  # it reads only after all the others
    n = 3000
    async with place.subscribed("markers") as good, place.frozen("markers") as peer:
        await until(lambda: len(place.live.hub.rates("markers")) == 2)
        listening = asyncio.create_task(_seqs(good, n))
        for i in range(n):
            place.publish(marker(f"{i:0200}"))
            await asyncio.sleep(0)
        assert await listening == list(range(1, n + 1))
        await until(lambda: place.services.crowd.n_too_slow == 1)
        tail = await _read_until(peer, struct.pack("!H", 4008) + b"too_slow")
    assert b'"code":"too_slow"' in tail
    async with place.websocket() as ws:
        await ws.receive()
        since = {"epoch": place.live.hub.epoch, "seq": 100}
        result = await ws.ask("subscribe", topics=["markers"], **{"from": since})
        assert result["recovered"] is True
        assert await _seqs(ws, n - 100) == list(range(101, n + 1))


async def _read_until(peer, end):
    loop, data = asyncio.get_running_loop(), b""
    async with asyncio.timeout(60):
        while not data.endswith(end):
            part = await loop.sock_recv(peer, 65536)
            assert part, "the connection ended before it was closed in good order"
            data = data[-65536:] + part
    return data


async def test_a_frozen_client_that_is_closed_is_gone_soon(place):
    async with place.frozen("markers") as peer:
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        for i in range(3000):
            place.publish(marker(f"{i:0200}"))
        assert peer.fileno() > 0
        await until(lambda: not place.server.server_state.connections)
        assert place.services.crowd.n == 0


async def test_the_oldest_signal_is_dropped_and_the_count_told(place):
    async with place.subscribed("signal", max_queue=1) as ws:
        for n in range(400):
            place.publish(signal(n, n=200))
        got = [await ws.receive()]
        async with asyncio.timeout(60):  # each checked against its schema would take long
            while got[-1]["sample"] != 399:
                got.append(json.loads(await ws.ws.recv()))
    check(got[-1])
    assert sum(m["dropped"] for m in got) + len(got) == 400
    assert [m["seq"] for m in got] == sorted(m["seq"] for m in got)


async def test_a_frozen_client_that_answers_no_ping_is_cut_off(place):
    place.server.config.ws_ping_interval = place.server.config.ws_ping_timeout = 0.05
    async with place.frozen("commands"):
        await until(lambda: len(place.live.hub.rates("commands")) == 1)
        for n in range(2000):
            place.publish(command(n))
        await until(lambda: not place.server.server_state.connections)
        await until(lambda: place.services.crowd.n == 0)


@pytest.fixture
async def plain(anyio_backend):
    """A server that knows nothing of us: plain ASGI."""
    async with serving(websockets="websockets-sansio") as place:
        yield place


async def test_plain_asgi_will_do(plain):
    async with plain.subscribed("markers", "commands") as ws:
        for n in range(50):
            plain.publish(marker(str(n)))
        assert await _seqs(ws, 50) == list(range(1, 51))
        plain.publish(*(command(n) for n in range(50)))
        assert (await ws.receive())["sample"] == 49  # nobody knew whether there was room
    await until(lambda: not plain.live.clients)


async def test_plain_asgi_says_why_it_closes(plain):
    async with plain.websocket(token="wrong") as ws:
        assert (await ws.receive())["code"] == "unauthorized"
        assert await ws.close_code() == 4401
    async with plain.websocket() as ws:
        await ws.receive()
        await ws.ws.send("nonsense")
        assert (await ws.receive())["code"] == "bad_message"
        assert await ws.close_code() == 4400


async def test_plain_asgi_closes_who_cannot_follow(plain):
    async with plain.subscribed("markers") as ws:
        plain.publish(*(marker(str(n)) for n in range(600)))
        assert (await ws.receive_of("error"))["code"] == "too_slow"
        assert await ws.close_code() == 4008
    assert plain.services.crowd.n_too_slow == 1


async def test_a_client_that_leaves_while_much_waits_is_forgotten(plain, place):
    for somewhere in (plain, place):
        async with somewhere.frozen("markers", "commands"):
            await until(lambda there=somewhere: len(there.live.hub.rates("markers")) == 1)
            for n in range(800):
                somewhere.publish(marker(f"{n:0100}"))
                await asyncio.sleep(0)
        await until(lambda there=somewhere: there.services.crowd.n == 0)
        assert not somewhere.live.clients
        assert not somewhere.live.hub.rates("markers")
