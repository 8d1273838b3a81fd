"""Every process of the real line is killed or stopped in turn, and a client watches."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import psutil
import pytest

from bci_server.client import CallRefused, Unreachable, connect
from bci_server.wire import CommandMessage, StatusMessage

WAIT_S = 60.0


@contextmanager
def process(*arguments, **options):
    started = subprocess.Popen(
        [sys.executable, "-m", "bci_server", *map(str, arguments)],
        text=True,
        stderr=subprocess.DEVNULL,
        **options,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait(WAIT_S)
        if started.stdout is not None:
            started.stdout.close()


@contextmanager
def streamer(name):
    with process("stream", "simulator_eeg", "--as", name, "--n-channels", 8) as started:
        yield started


@contextmanager
def serving(file, token):
    command = ("serve", file, "--port", 0, "--token-file", token, "--json")
    with process(*command, stdout=subprocess.PIPE) as server:
        yield server, json.loads(server.stdout.readline())["url"]
        server.send_signal(signal.SIGTERM)
        server.wait(WAIT_S)


def child(server, module):
    (found,) = (c for c in psutil.Process(server.pid).children() if module in c.cmdline())
    return found


class Watcher:
    """A client that says how long after a deed it learned of it."""

    def __init__(self, messages):
        self._messages = messages
        self.learned_ms = {}

    async def until(self, what, kind):
        async with asyncio.timeout(WAIT_S):
            async for message in self._messages:
                if isinstance(message, kind) and what(message):
                    return message

    async def neutral(self, deed, *reasons):
        """Wait for a neutral command for one of `reasons`, and note how long it took."""
        began_s = time.monotonic()
        message = await self.until(lambda m: m.reason in reasons, CommandMessage)
        self.learned_ms[deed] = round(1e3 * (time.monotonic() - began_s))
        assert (message.mode, message.armed) == ("neutral", False)
        if message.values != (0.0,):  # it brakes
            await self.until(lambda m: m.values == (0.0,), CommandMessage)

    async def running(self):
        return await self.until(lambda m: m.state == "running", StatusMessage)

    async def moving(self, client):
        """Arm until it moves: on a busy machine a lease may be over before that is seen."""
        async with asyncio.timeout(WAIT_S):
            while True:
                with suppress(CallRefused, Unreachable, TimeoutError):
                    await client.arm({"x": 0.5})
                    async with asyncio.timeout(1.0):
                        await self.until(lambda m: m.armed and m.mode == "velocity", CommandMessage)
                        return
                await asyncio.sleep(0.05)


def restart(url, token):
    request = urllib.request.Request(
        f"{url}/v1/sessions/imagery/restart",
        method="POST",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.status < 300


@pytest.mark.slow
def test_clients_go_neutral_whatever_dies_and_all_of_it_recovers(lsl, tmp_path, session_file):
    file = session_file(device='kind = "lsl"\nname = "deaths"')
    token_file = tmp_path / "token"

    async def scene(server, url):
        token = token_file.read_text().strip()
        async with connect(url.replace("http", "ws"), token, session="imagery") as client:
            watch = Watcher(client.subscribe("commands", "status"))
            with streamer("deaths") as sender:
                await watch.running()

                await watch.moving(client)
                engine = child(server, "bci_server.engine")
                engine.suspend()
                await watch.neutral("engine stopped", "engine_lost")
                engine.resume()
                await watch.until(lambda m: m.reason == "disarmed", CommandMessage)

                await watch.moving(client)
                engine.kill()
                await watch.neutral("engine killed", "engine_lost")
                await asyncio.to_thread(restart, url, token)
                await watch.running()

                await watch.moving(client)
                child(server, "bci_server.web").kill()
                await watch.running()
                await watch.until(lambda m: not m.armed, CommandMessage)

                await watch.moving(client)
                sender.send_signal(signal.SIGSTOP)
                await watch.neutral("streamer stopped", "stalled")
                sender.send_signal(signal.SIGCONT)
                await watch.until(lambda m: m.reason == "disarmed", CommandMessage)

                await watch.moving(client)
                sender.kill()
                await watch.neutral("streamer killed", "stalled")
            with streamer("deaths"):
                await watch.until(lambda m: m.reason == "disarmed", CommandMessage)
        return watch.learned_ms

    with serving(file, token_file) as (server, url):
        learned_ms = asyncio.run(scene(server, url))
        children = psutil.Process(server.pid).children(recursive=True)
    assert len(learned_ms) == 4
    assert psutil.wait_procs(children, timeout=WAIT_S)[1] == []
    print(learned_ms)  # noqa: T201 - shown with -s, and when it fails
