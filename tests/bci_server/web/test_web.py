"""The web process itself, started as the supervisor starts it."""

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from bci_server.client import connect
from bci_server.control import (
    Answer,
    Request,
    SessionRecord,
    Sessions,
    StartSession,
)
from bci_server.link.frames import Frames, frame
from bci_server.wire import CommandMessage
from tests.bci_server.web.web_place import FakeEngine, command, status

pytestmark = pytest.mark.anyio


class Supervisor:
    """The other end of the line: answers, and notes what it is asked."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.asked: list[Request] = []

    async def say(self, message) -> None:
        payload = frame(msgspec.msgpack.encode(message))
        await asyncio.get_running_loop().sock_sendall(self.line, payload)

    async def serve(self) -> None:
        frames = Frames()
        decode = msgspec.msgpack.Decoder(Request).decode
        while data := await asyncio.get_running_loop().sock_recv(self.line, 65536):
            for payload in frames.feed(data):
                request = decode(payload)
                self.asked.append(request)
                await self.say(Answer(call=request.call, ok=True))


@asynccontextmanager
async def web_process(folder, environment=None):
    """Start the process; yield it, its port, and the supervisor's end of its line."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listening:
        fds = (listening.fileno(), theirs.fileno())
        process = subprocess.Popen(  # noqa: ASYNC220 - the test can wait
            [
                *(sys.executable, "-m", "bci_server.web"),
                *("--listen-fd", str(fds[0]), "--supervisor-fd", str(fds[1])),
            ],
            pass_fds=fds,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "BCI_TOKEN_FILE": str(folder / "token"), **(environment or {})},
        )
        port = listening.getsockname()[1]
        theirs.close()
        supervisor = Supervisor(ours)
        serving = asyncio.create_task(supervisor.serve())
        try:
            yield process, port, supervisor
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


async def ended(process):
    async with asyncio.timeout(60):
        return await asyncio.to_thread(process.communicate)


@pytest.fixture
async def engine(anyio_backend, tmp_path):
    engine = FakeEngine(str(tmp_path / "engine"))
    await engine.start()
    yield engine
    await engine.aclose()


async def _first(messages, mode):
    async for message in messages:
        if isinstance(message, CommandMessage) and message.mode == mode:
            return message


async def test_serves_what_the_supervisor_names_and_ends_with_it(tmp_path, engine):
    record = SessionRecord(
        name="demo", file="demo.toml", socket=engine.path, process="running", run=1
    )
    async with web_process(tmp_path) as (process, port, supervisor):
        # Connects before the sessions are known: waits, and is not refused.
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as http:
            asking = asyncio.create_task(http.get("/healthz"))
            await supervisor.say(Sessions(sessions=(record,)))
            assert (await asking).json()["sessions"] == {"starting": 1}
            token = (tmp_path / "token").read_text().strip()
            await engine.linked()
            async with connect(f"http://127.0.0.1:{port}", token, session="demo") as client:
                coming = client.subscribe("commands")
                # Neutral first, if this machine is so busy that the engine was silent for long.
                fetching = asyncio.create_task(_first(coming, "velocity"))
                for n in range(1000):
                    engine.say(status(), command(sample=n))
                    if (await asyncio.wait([fetching], timeout=0.05))[0]:
                        break
                assert (await fetching).values == (0.5, -0.5)
                await coming.aclose()
            bearer = {"Authorization": f"Bearer {token}"}
            started = await http.post("/v1/sessions/demo/start", headers=bearer)
            assert started.status_code == 200
            assert isinstance(supervisor.asked[0], StartSession)
        supervisor.line.shutdown(socket.SHUT_RDWR)
        out, errors = await ended(process)
    assert process.returncode == 0
    assert out == b""
    assert token.encode() not in errors
    for line in errors.splitlines():
        assert json.loads(line)["level"] in ("info", "warning")


async def test_an_unsafe_bind_is_refused_without_a_trace(tmp_path):
    async with web_process(tmp_path, {"BCI_HOST": "0.0.0.0"}) as (process, _, _):
        _, errors = await ended(process)
    assert process.returncode == 1
    assert b"BCI_TLS_CERTIFICATE" in errors
    assert b"Traceback" not in errors


async def test_a_wrong_setting_is_refused_without_a_trace(tmp_path):
    async with web_process(tmp_path, {"BCI_PORT": "eighty"}) as (process, _, _):
        _, errors = await ended(process)
    assert process.returncode == 1
    assert b"BCI_PORT" in errors
    assert b"eighty" in errors
    assert b"Traceback" not in errors


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for 127.0.0.1, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=bci", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


async def test_serves_over_tls_where_told(tmp_path, engine, certificate):
    path, key = certificate
    environment = {"BCI_TLS_CERTIFICATE": str(path), "BCI_TLS_KEY": str(key)}
    record = SessionRecord(name="demo", file="f", socket=engine.path, process="running", run=1)
    async with web_process(tmp_path, environment) as (_, port, supervisor):
        await supervisor.say(Sessions(sessions=(record,)))
        await engine.linked()
        token = (tmp_path / "token").read_text().strip()
        trust = ssl.create_default_context(cafile=path)
        url = f"https://127.0.0.1:{port}"
        async with connect(url, token, session="demo", tls=trust) as client:
            assert await client.marker("over TLS") == 1234


async def test_a_certificate_that_is_none_is_refused_without_a_trace(tmp_path):
    environment = {"BCI_TLS_CERTIFICATE": "/nowhere.pem", "BCI_TLS_KEY": "/nowhere.key"}
    async with web_process(tmp_path, environment) as (process, _, _):
        _, errors = await ended(process)
    assert process.returncode == 1
    assert b"/nowhere.pem" in errors
    assert b"Traceback" not in errors
