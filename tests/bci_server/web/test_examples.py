"""The Python of the README and of examples/ against a running server."""

import asyncio
import re
import runpy
import sys
from pathlib import Path

import msgspec
import pytest

from bci_server.client import connect
from tests.bci_server.web.web_place import TOKEN, Place, command, marker, prediction, until

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


async def test_the_hand_closes_feels_and_holds(place: Place) -> None:
    await place.engine.linked()
    tasks = runpy.run_path(str(ROOT / "examples" / "tasks" / "grasp.py"))
    hand, touch = tasks["Hand"](stiffness_n=4.0), tasks["Touch"]()
    async with asyncio.timeout(30), connect(place.http, TOKEN, session="demo") as client:
        grasp = tasks["Grasp"](client, hand, touch)
        for k in range(30):
            message = command(k, (0.5,), names=("closing",), ttl_ms=200.0)
            ledger = msgspec.structs.replace(message.ledger, published_s=0.1 * k)
            await grasp.follow(msgspec.structs.replace(message, ledger=ledger))
    asked = [c for c in place.engine.asked if type(c).__name__ == "GiveStimulus"]
    amplitudes = [c.amplitude_ua for c in asked]
    assert len(asked) == grasp.n_stimuli > 10
    assert amplitudes == sorted(amplitudes)
    assert 20.0 < amplitudes[0] < amplitudes[-1] == touch.amplitude_ua(4.0)
    assert hand.closed == 1.0
    assert grasp.held_s == pytest.approx(1.9, abs=0.11)
    assert not grasp.is_crushed


def test_a_person_closes_until_it_is_felt() -> None:
    intent = runpy.run_path(str(ROOT / "examples" / "tasks" / "participant.py"))["intent"]
    assert [intent(ua) for ua in (0.0, 30.0, 75.0)] == ["right", "rest", "left"]


async def test_the_bar_leans_judges_and_rewards(place: Place, capsys) -> None:
    await place.engine.linked()
    tasks = runpy.run_path(str(ROOT / "examples" / "tasks" / "bar.py"))
    bar = tasks["Bar"]({"T1": "left"})
    async with asyncio.timeout(30), connect(place.http, TOKEN, session="demo") as client:
        shown = asyncio.create_task(tasks["show"](client, bar, 2))
        await until(lambda: len(place.live.hub.rates("markers")) == 1)
        for sample, decision in ((10, "left"), (20, "right")):
            place.publish(marker("T1", sample), prediction(sample + 5))
            said = prediction(sample + 9, decision)
            place.publish(msgspec.structs.replace(said, cue_sample=sample))
        await shown
    assert (bar.n_right, bar.n_decided) == (1, 2)
    rewards = [
        (c.kind, c.values, c.sample) for c in place.engine.asked if type(c).__name__ == "Mark"
    ]
    assert rewards == [("reward", (1.0,), 19), ("reward", (-1.0,), 29)]
    out = capsys.readouterr().out
    assert f"left {' ' * 20}|{'█' * 10}" in out
    assert "right (1 of 1)" in out
    assert "wrong (1 of 2)" in out
