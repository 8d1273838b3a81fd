"""A real server on a real port, and engines that speak through the real line."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jsonschema
import msgspec
import uvicorn
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.frames import Frame, Opcode

from bci_server.control import (
    Answer,
    ArmLease,
    Control,
    Goodbye,
    Mark,
    Request,
    SessionRecord,
    Sessions,
)
from bci_server.link.frames import Frames, frame
from bci_server.web.asyncapi import schemas
from bci_server.web.auth import ALL_SCOPES, Doors, Grant, Tickets, Tokens
from bci_server.web.directory import Directory
from bci_server.web.live import Live
from bci_server.web.process import server_config
from bci_server.web.services import Crowd, DevicesShape, Services
from bci_server.web.settings import Settings
from bci_server.web.sockets import PromptProtocol
from bci_server.wire import (
    CommandMessage,
    DataMessage,
    Ledger,
    MarkerMessage,
    PredictionMessage,
    SignalMessage,
    StatusMessage,
    TokenMessage,
    VoiceMessage,
)
from devices.clock import MONOTONIC

TOKEN = "the-token-with-all-scopes"
VIEWER = "the-token-of-a-mere-viewer"


def _ledger() -> Ledger:
    now_s = MONOTONIC.now()
    return Ledger(now_s - 0.002, now_s - 0.001, now_s)


def command(sample=0, values=(0.5, -0.5), **fields):
    defaults = {
        "mode": "velocity",
        "names": ("x", "y"),
        "unit": "m/s",
        "confidence": 1.0,
        "ttl_ms": 100.0,
        "armed": False,
    }
    return CommandMessage(
        topic="commands", sample=sample, ledger=_ledger(), values=values, **{**defaults, **fields}
    )


def prediction(sample=0, decision=None):
    return PredictionMessage(
        topic="predictions",
        sample=sample,
        ledger=_ledger(),
        labels=("left", "right"),
        probabilities=(0.25, 0.75),
        decision=decision,
    )


def token(item, text, is_final, segment_final=False):
    return TokenMessage(
        topic="tokens",
        sample=0,
        ledger=_ledger(),
        item=item,
        text=text,
        unit="word",
        is_final=is_final,
        segment_final=segment_final,
        confidence=0.9,
    )


def voice(sample=0, values=(0.5, -0.5)):
    return VoiceMessage(
        topic="voice",
        sample=sample,
        ledger=_ledger(),
        names=("mel1", "mel2"),
        values=values,
        unit="dB",
    )


def signal(sample=0, n=64):
    return SignalMessage(
        topic="signal",
        sample=sample,
        ledger=_ledger(),
        channels=tuple(f"C{i}" for i in range(16)),
        unit="µV",
        rate_hz=250.0,
        values=tuple((float(sample),) * 16 for _ in range(n)),
    )


def marker(label, sample=0):
    return MarkerMessage(
        topic="markers", sample=sample, ledger=_ledger(), label=label, source="stream"
    )


def status(state="running", **fields):
    return StatusMessage(
        topic="status", sample=0, ledger=_ledger(), session="demo", state=state, **fields
    )


class FakeEngine:
    """Listens where an engine does, says what it is told to, and notes what it is asked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.asked: list[Control] = []
        self.mute = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._linked = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def linked(self) -> None:
        async with asyncio.timeout(60):  # a process may have to start
            await self._linked.wait()

    def say(self, *messages) -> None:
        for message in messages:
            for writer in self._writers:
                writer.write(frame(msgspec.msgpack.encode(message)))

    async def die(self) -> None:
        self._linked.clear()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def end(self, state="ended") -> None:
        self.say(Goodbye(state=state))
        for writer in tuple(self._writers):
            await writer.drain()
            writer.close()
        self._writers.clear()
        self._linked.clear()

    async def aclose(self) -> None:
        await self.die()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._linked.set()
        frames = Frames()
        decode = msgspec.msgpack.Decoder(Control).decode
        try:
            while data := await reader.read(65536):
                for payload in frames.feed(data):
                    control = decode(payload)
                    self.asked.append(control)
                    if not self.mute:
                        self.say(self._answer(control))
        except ConnectionError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    def _answer(self, control: Control) -> Answer:
        if isinstance(control, Mark):
            return Answer(call=control.call, ok=True, sample=1234)
        if isinstance(control, ArmLease):
            return Answer(call=control.call, ok=True, lease_ms=300.0)
        return Answer(call=control.call, ok=True)


class FakeSupervisor:
    """Notes what it is asked, and does it not."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.refuses: str | None = None

    async def call(self, request: Request, timeout_s: float = 10.0) -> Answer:
        self.asked.append(request)
        return Answer(call=request.call, ok=self.refuses is None, error=self.refuses)


@dataclass
class Place:
    """A running server, and what stands around it."""

    port: int
    services: Services
    engine: FakeEngine
    supervisor: FakeSupervisor
    server: uvicorn.Server

    @property
    def live(self) -> Live:
        live = self.services.directory.get("demo")
        assert live is not None
        return live

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/sessions/demo/stream"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rest(self, token: str | None = TOKEN) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.http, headers=headers, trust_env=False)

    @asynccontextmanager
    async def websocket(self, url=None, token=TOKEN, **options) -> AsyncIterator["Socket"]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})
        options.setdefault("compression", None)
        async with open_websocket(
            url or self.url, additional_headers=headers, proxy=None, **options
        ) as ws:
            yield Socket(ws, self)

    @asynccontextmanager
    async def subscribed(self, *topics, **options) -> AsyncIterator["Socket"]:
        fields = options.pop("subscribe", {})
        async with self.websocket(**options) as ws:
            assert (await ws.receive())["type"] == "hello"
            await ws.ask("subscribe", topics=topics, **fields)
            yield ws

    @asynccontextmanager
    async def frozen(self, *topics) -> AsyncIterator[socket.socket]:
        """Subscribe a client that reads nothing at all, through as small a window as there is."""
        loop = asyncio.get_running_loop()
        with socket.socket() as peer:
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(peer, ("127.0.0.1", self.port))
            subscribe = json.dumps({"type": "subscribe", "id": 1, "topics": topics}).encode()
            upgrade = (
                "GET /v1/sessions/demo/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                f"Authorization: Bearer {TOKEN}\r\n\r\n"
            )
            await loop.sock_sendall(peer, upgrade.encode())
            # Its frames wait until the server has switched protocols.
            await loop.sock_recv(peer, 1)
            await loop.sock_sendall(peer, Frame(Opcode.TEXT, subscribe).serialize(mask=True))
            yield peer

    def publish(self, *messages: DataMessage) -> None:
        """Publish without an engine: for what is the hub's alone."""
        for message in messages:
            self.live.hub.publish(message)


class Socket:
    """A WebSocket client that checks every message against the published schema."""

    def __init__(self, ws: ClientConnection, place: Place) -> None:
        self.ws = ws
        self._n = 0

    async def send(self, **message) -> None:
        if self.ws.subprotocol == "bci.v1.msgpack":
            await self.ws.send(msgspec.msgpack.encode(message))
        else:
            await self.ws.send(json.dumps(message))

    async def receive(self) -> dict:
        async with asyncio.timeout(20):
            received = await self.ws.recv()
        message = (
            msgspec.msgpack.decode(received)
            if isinstance(received, bytes)
            else json.loads(received)
        )
        check(message)
        return message

    async def receive_of(self, kind: str) -> dict:
        while (message := await self.receive())["type"] != kind:
            pass
        return message

    async def ask(self, kind: str, **fields) -> dict:
        """Send a call, return its result; what comes before that is thrown away."""
        self._n += 1
        await self.send(type=kind, id=self._n, **fields)
        while (message := await self.receive())["type"] != "result":
            pass
        assert message["id"] == self._n
        return message

    async def close_code(self) -> int:
        async with asyncio.timeout(20):
            await self.ws.wait_closed()
        assert self.ws.close_code is not None
        return self.ws.close_code


def _validators() -> dict[str, jsonschema.protocols.Validator]:
    components = schemas()
    document = {"components": {"schemas": components}}
    validators = {}
    for name, schema in components.items():
        tag = schema.get("properties", {}).get("type", {}).get("enum")
        if tag and "id" not in schema["required"][:1]:
            whole = {**document, "$ref": f"#/components/schemas/{name}"}
            validators[name] = jsonschema.Draft202012Validator(whole)
    return validators


_NAMES = {
    "hello": "Hello",
    "result": "Result",
    "error": "ErrorMessage",
    "command": "CommandMessage",
    "token": "TokenMessage",
    "prediction": "PredictionMessage",
    "signal": "SignalMessage",
    "features": "FeaturesMessage",
    "marker": "MarkerMessage",
    "status": "StatusMessage",
}
_VALIDATORS = _validators()


def check(message: dict) -> None:
    """Hold a message of the server's against the schema that it publishes."""
    _VALIDATORS[_NAMES[message["type"]]].validate(message)


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Return when `condition` holds; let the event loop turn meanwhile."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def _no_devices() -> DevicesShape:
    return DevicesShape(streams=[], kinds=[])


@asynccontextmanager
async def serving(websockets=PromptProtocol, **changes) -> AsyncIterator[Place]:
    """Run a server with one session, ``demo``, and its engine."""
    with tempfile.TemporaryDirectory(prefix="bci") as folder:
        engine = FakeEngine(str(Path(folder) / "engine"))
        await engine.start()
        supervisor = FakeSupervisor()
        tickets = changes.pop("tickets", None) or Tickets()
        services = Services(
            directory=Directory(),
            tokens=Tokens(
                {
                    TOKEN: Grant("all", ALL_SCOPES),
                    VIEWER: Grant("viewer", frozenset({"view"})),
                }
            ),
            supervisor=supervisor,
            discover=changes.pop("discover", _no_devices),
            tickets=tickets,
            crowd=Crowd(changes.pop("max_clients", 500)),
            doors=Doors(origins=frozenset({"http://friend.example"})),
            **changes,
        )
        record = SessionRecord(
            name="demo", file="demo.toml", socket=engine.path, process="running", run=1
        )
        services.directory.apply(Sessions(sessions=(record,)))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            server = uvicorn.Server(server_config(services, Settings()))
            server.config.ws = websockets
            # `Server.serve` without its main loop, which looks ten times a second whether to end.
            server.config.load()
            server.lifespan = server.config.lifespan_class(server.config)
            await server.startup([listening])
            try:
                yield Place(port, services, engine, supervisor, server)
            finally:
                await engine.aclose()
                await services.directory.aclose()
                await _end(server, listening)


async def _end(server: uvicorn.Server, listening: socket.socket) -> None:
    """End as `Server.shutdown` does, but look more often than ten times a second whether it has."""
    for each in server.servers:
        each.close()
    listening.close()
    state = server.server_state
    for connection in tuple(state.connections):
        connection.shutdown()
    try:
        await until(lambda: not (state.connections or state.tasks), 2.0)
    except TimeoutError:
        for task in state.tasks:
            task.cancel()
    for each in server.servers:
        await each.wait_closed()
