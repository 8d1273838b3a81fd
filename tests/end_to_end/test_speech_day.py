"""A served session of speech on a later day orders weights, which a worker makes for it."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from bci_server.client import connect
from bci_server.wire import VersionMessage
from benchmarks.line import bci, serving
from decoders.adapting.version_folder import VersionFolder
from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from devices.recording.xdf_writer import XdfStream, XdfWriter
from tests.bci_server.spoken_days import RATE_HZ, SIGNAL, first_day, rows, texts
from tests.decoders.speech.tiny_language import make as make_language

pytest.importorskip("flashlight.lib.text")

SESSION = """\
name = "day"
[device]
kind = "recording"
path = "{folder}/later.xdf"
speed = 4
chunk_s = 0.1
loop = true
[blocks]
hop_s = 0.02
[sentences]
[decoder]
kind = "speech"
model = "{folder}/model"
{keys}
[language]
folder = "{folder}/language"
[adaptation]
[[adaptation.rules]]
kind = "speech_recalibration"
every = 12
keep = 16
proving = 4
fewest = 6
[record]
enabled = true
participant = "P01"
folder = "{folder}/recordings"
"""


def write(path: Path) -> None:
    """Write the rows of a day on which every electrode says a third, as a recording."""
    values = 0.35 * rows(texts(18, 5), 6)
    with XdfWriter.create(path) as xdf:
        stream = XdfStream(
            "speech", "SPIKES", "float32", SIGNAL.channels, SIGNAL.unit, SIGNAL.rate_hz
        )
        xdf.write(xdf.add_stream(stream), values, (np.arange(len(values)) + 1) / RATE_HZ)


async def until(messages: object, reason: str) -> VersionMessage:
    """Return the first version whose reason is like that."""
    async for message in messages:  # type: ignore[attr-defined]
        if isinstance(message, VersionMessage) and re.search(reason, message.reason):
            return message
    raise AssertionError(f"no version for {reason!r}")


async def follow(url: str, token: str) -> tuple[VersionMessage, VersionMessage]:
    """Wait for weights that a worker made, and go back on them."""
    async with connect(url, token, session="day") as client:
        messages = client.subscribe("versions")
        made = await until(messages, "^settled on the rows of ")
        await client.adapt("rollback", version=0)
        return made, await until(messages, "^rollback")


@pytest.mark.slow
def test_a_served_session_is_brought_to_the_day_by_a_worker_and_gone_back_on(
    tmp_path: Path,
) -> None:
    model = first_day()
    model.save(tmp_path / "model")
    make_language(tmp_path / "language")
    write(tmp_path / "later.xdf")
    stated = {k: v for k, v in model.decoder.items() if k != "kind"}
    keys = "\n".join(f"{k} = {v!r}".replace("'", '"') for k, v in stated.items())
    file = tmp_path / "day.toml"
    file.write_text(SESSION.format(folder=tmp_path, keys=keys))
    with serving(file, tmp_path) as server:
        made, back = asyncio.run(follow(server.url, server.token))
    assert (made.version, made.parent, back.version) == (1, 0, 0)
    fitted = Artifact.load(tmp_path / "model").weights
    assert back.hash == weights_hash(fitted) != made.hash
    assert set(VersionFolder(tmp_path / "model", fitted)[made.hash]) >= {"mean", "inverse"}
    (recording,) = (tmp_path / "recordings").rglob("*.xdf")
    assert bci("replay", str(recording))["replay"]["n_outputs"] > 0  # and equal, else it fails
