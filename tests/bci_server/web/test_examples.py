"""The Python of the README and of examples/ against a running server."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.bci_server.web.web_place import TOKEN, Place, prediction

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[3]


async def test_the_readmes_client_prints_what_is_published(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(source.replace("motor-imagery", "demo"), names)
    client = asyncio.create_task(names["main"](place.http, TOKEN))
    printed = ""
    async with asyncio.timeout(30):
        while "PredictionMessage" not in printed:
            place.publish(prediction())
            await asyncio.wait([client], timeout=0.05)
            printed += capsys.readouterr().out
    assert not client.done()
    client.cancel()
    await asyncio.wait([client])


async def test_the_example_client_prints_what_is_published(place: Place) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "examples" / "client.py"), place.http, TOKEN, "demo"),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = asyncio.ensure_future(process.stdout.readline())
    async with asyncio.timeout(60):
        while not line.done():
            place.publish(prediction())
            await asyncio.wait([line], timeout=0.05)
    process.kill()
    await process.wait()
    assert b"('left', 'right') (0.25, 0.75)" in line.result()
