"""``bci listen``: a real process on a real server."""

import asyncio
import json
import os
import pty
import select
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bci_server.__main__ import main
from bci_server.cli.outcome import Exit
from tests.bci_server.web.web_place import TOKEN, VIEWER, Place, command, marker, prediction, token

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(
    *arguments: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bci_server", "listen", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "BCI_TOKEN": TOKEN, **environment},
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def outcome(*arguments: str, **environment: str) -> tuple[int, str]:
    async with listening(*arguments, **environment) as process:
        _, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, errors.decode()


async def until_heard(process: asyncio.subprocess.Process, place: Place) -> bytes:
    """Publish markers until the first line arrives."""
    assert process.stdout is not None
    line = asyncio.ensure_future(process.stdout.readline())
    while not line.done():
        place.publish(marker("knock"))
        await asyncio.wait([line], timeout=0.1)
    return line.result()


async def test_json_is_one_message_a_line(place: Place) -> None:
    async with listening(place.http, "--json") as process:
        assert json.loads(await until_heard(process, place))["label"] == "knock"
        place.publish(prediction(7, decision="left"))
        assert process.stdout is not None
        async for line in process.stdout:
            message = json.loads(line)
            if message["type"] == "prediction":
                break
        assert message["decision"] == "left"
        assert message["sample"] == 7
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == Exit.OK
    assert b"Traceback" not in errors


async def test_a_person_reads_words(place: Place) -> None:
    arguments = (place.http, "--session", "demo", "--topics", "markers,commands", "--count", "20")
    async with listening(*arguments) as process:
        await until_heard(process, place)
        place.publish(command(reason="disarmed"))
        for _ in range(20):
            place.publish(marker("knock"))
        out, _ = await process.communicate()
    assert process.returncode == Exit.OK
    assert "knock at sample 0 (stream)" in out.decode()
    assert "velocity (disarmed) disarmed x=+0.5 y=-0.5 m/s" in out.decode()


async def test_on_a_terminal_a_sentence_is_corrected_in_place(place: Place) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bci_server", "listen", place.http, "--topics", "tokens,markers"),
        stdout=theirs,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "BCI_TOKEN": TOKEN, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    screen = b""
    async with asyncio.timeout(60):
        while b"knock" not in screen:
            place.publish(marker("knock"))
            await asyncio.sleep(0.1)
            if select.select([ours], [], [], 0)[0]:
                screen += os.read(ours, 65536)
        place.publish(token(1, "wader", False))
        place.publish(token(1, "water", True, segment_final=True))
        place.publish(marker("over"))
        while b"over" not in screen:
            await asyncio.sleep(0.05)
            if select.select([ours], [], [], 0)[0]:
                screen += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == Exit.OK
    os.close(ours)
    assert b"\x1b[2mwader" in screen
    assert b"\x1b[1mwater" in screen
    assert b"\x1b[2K" in screen[screen.index(b"wader") : screen.index(b"water")]


async def test_a_session_of_this_machines_server_is_found_by_name(place: Place) -> None:
    async with listening("demo", "--count", "1", BCI_PORT=str(place.port)) as process:
        await until_heard(process, place)
        assert await process.wait() == Exit.OK


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (("--topics", "thoughts"), {}, Exit.BAD_INPUT, "predictions"),
        (("--token-file", "/nowhere/token"), {}, Exit.NOT_FOUND, "/nowhere/token"),
        (("ftp://127.0.0.1/v1/sessions/demo/stream",), {}, Exit.BAD_INPUT, "ftp"),
        ((), {"BCI_PORT": "many"}, Exit.BAD_INPUT, "BCI_PORT"),
        ((), {"BCI_PORT": "1"}, Exit.NOT_FOUND, "127.0.0.1:1"),
    ],
)
async def test_what_cannot_be_is_one_message(
    place: Place,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    code: Exit,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"BCI_TOKEN": TOKEN, "BCI_PORT": str(place.port), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["bci", "listen", *arguments])
    with pytest.raises(SystemExit) as ended:  # it does not come to what needs a process of its own
        await asyncio.to_thread(main)
    errors = capsys.readouterr().err
    assert ended.value.code == code, errors
    assert said in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (("nobody",), {}, Exit.NOT_FOUND, "demo"),
        ((), {"BCI_TOKEN": "x" * 20}, Exit.FAILED, "token"),
        (("--topics", "signal"), {"BCI_TOKEN": VIEWER}, Exit.FAILED, "raw"),
    ],
)
async def test_what_the_server_refuses_is_one_message(
    place: Place, arguments: tuple[str, ...], environment: dict[str, str], code: Exit, said: str
) -> None:
    ended, errors = await outcome(*arguments, **{"BCI_PORT": str(place.port), **environment})
    assert ended == code, errors
    assert said in errors
    assert "Traceback" not in errors
