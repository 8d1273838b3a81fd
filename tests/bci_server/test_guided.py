"""Guided calibration: what is cued, recorded, fitted, and taken or left."""

import asyncio
import math
from collections import Counter
from types import SimpleNamespace

import pytest

from bci_server.config import parse_session
from bci_server.control import Answer, Mark, RestartSession, StartRecording, StopRecording
from bci_server.guided import Guided, Plan, Unguided, cues_of
from bci_server.link.web_end import LinkLost
from bci_server.recording.file import RecordingFile
from bci_server.recording.items import Content
from decoders.artifact import Artifact
from devices.adapters.simulator_eeg import SimulatorEeg
from devices.device import EndOfStream
from devices.recording.checked_file import CheckedFile
from devices.recording.recorded import Turn
from devices.signal import Event

pytestmark = pytest.mark.anyio

SESSION = """
name = "demo"
[device]
kind = "lsl"
name = "eeg"
[blocks]
hop_s = 0.2
channels = ["C3", "Cz", "C4"]
[[stages]]
kind = "bandpass"
low_hz = 8.0
high_hz = 30.0
[[stages]]
kind = "covariance"
window_s = 1.0
[decoder]
kind = "mdm"
model = "models/demo"
[trials]
labels = { left = "left", right = "right", links = "left" }
[record]
participant = "P01"
"""


def record(path, seconds):
    """Record a participant who follows cues that a client gave."""
    headset = SimulatorEeg(8, strength=2.0, pause_s=1.0, seed=3, speed=math.inf, chunk_s=0.2)
    with headset.open() as stream:
        content = Content("demo", "eeg", stream.signal, about={"participant": "P01"})
        recording = RecordingFile(CheckedFile(path), content, 0.0)
        n = 0
        try:
            while n < seconds * stream.signal.rate_hz:
                chunk = stream.read(1.0)
                marks = tuple(Event(n, m.label, "calibration") for m in stream.take_markers())
                stream.take_truth()
                end_s = float(chunk.times[-1])
                recording.write(Turn(n, chunk.values, chunk.times, None, False, end_s, (), marks))
                n += len(chunk)
        except EndOfStream:
            pass
        recording.end(end_s, "ended", "")


class Bench:
    """A running session, whose engine notes what it is asked and records what it should."""

    def __init__(self, folder, seconds=60.0, text=SESSION):
        self.asked, self.requests, self.slept = [], [], []
        self.seconds = seconds
        self.file = folder / "demo.toml"
        self.file.write_text(text)
        self.recording = folder / "sub-P01_task-demo_run-001_eeg.xdf"
        self.name = "demo"
        self.status = SimpleNamespace(n_gaps=1, n_lost=5, quality="good")
        self.record = SimpleNamespace(file=str(self.file))
        self.engine = SimpleNamespace(call=self.call)
        self.session = parse_session(text, folder)

    async def call(self, control, timeout_s=1.0):
        self.asked.append(control)
        if isinstance(control, StopRecording):
            if self.seconds:
                record(self.recording, self.seconds)
            return Answer(call=1, ok=True, file=str(self.recording))
        return Answer(call=1, ok=True, sample=0)

    async def supervisor(self, request, timeout_s):
        self.requests.append(request)
        return Answer(call=1, ok=True)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def guided(self, **plan):
        plan = Plan(**{"trials_per_class": 3, "seed": 1, **plan})
        return Guided(self, self.session, self.supervisor, plan, self.sleep)


def test_each_class_comes_as_often_and_once_in_each_round():
    cues = cues_of(("a", "b", "c"), Plan(trials_per_class=5, seed=0))
    labels = [cue for cue, _ in cues]
    assert Counter(labels) == {"a": 5, "b": 5, "c": 5}
    assert all(len(set(labels[i : i + 3])) == 3 for i in range(0, 15, 3))
    assert all(2.0 <= pause <= 3.0 for _, pause in cues)
    assert cues != cues_of(("a", "b", "c"), Plan(trials_per_class=5, seed=1))


async def test_it_cues_records_fits_and_replaces_the_model(tmp_path):
    bench = Bench(tmp_path)
    guided = bench.guided()
    guided.start()
    await guided.wait()
    assert guided.progress.state == "fitted", guided.progress
    assert isinstance(bench.asked[0], StartRecording)
    assert isinstance(bench.asked[-1], StopRecording)
    marks = [c for c in bench.asked if isinstance(c, Mark)]
    assert Counter(m.label for m in marks) == {"left": 3, "right": 3, "rest": 6}
    assert {m.source for m in marks} == {"calibration"}
    assert bench.slept.count(4.0) == 6  # a trial's length
    assert guided.progress.quality == {"n_gaps": 0, "n_lost": 0, "bad": 0.0}
    metrics = guided.progress.summary["metrics"]
    assert metrics["accuracy"] > metrics["chance"]
    assert not bench.session.model.exists()
    await guided.accept()
    first = Artifact.load(bench.session.model)
    assert first.hash == guided.progress.summary["hash"]
    assert bench.requests == [RestartSession(session="demo")]
    with pytest.raises(Unguided, match="accepted"):
        await guided.accept()

    again = bench.guided()
    bench.recording = tmp_path / "sub-P01_task-demo_run-002_eeg.xdf"
    again.start()
    await again.wait()
    await again.accept()
    (before,) = bench.session.model.parent.glob("*-before")
    assert Artifact.load(before).hash == first.hash


async def test_what_is_rejected_is_gone_and_the_recording_stays(tmp_path):
    bench = Bench(tmp_path)
    guided = bench.guided()
    guided.start()
    await guided.wait()
    await guided.reject()
    assert guided.progress.state == "rejected"
    assert list((tmp_path / "models").iterdir()) == []
    assert bench.recording.exists()


async def test_too_little_to_fit_on_says_why_and_how_to_see_it(tmp_path):
    guided = Bench(tmp_path, seconds=3.0).guided()
    guided.start()
    await guided.wait()
    assert guided.progress.state == "failed"
    assert "no decoder could be fitted" in guided.progress.problem
    assert "bci calibrate" in guided.progress.fix
    with pytest.raises(Unguided, match="failed"):
        await guided.accept()


async def test_an_engine_that_is_lost_ends_it(tmp_path):
    bench = Bench(tmp_path)

    async def lost(control, timeout_s=1.0):
        raise LinkLost("the engine is gone")

    bench.engine.call = lost
    guided = bench.guided()
    guided.start()
    await guided.wait()
    assert guided.progress.state == "failed"
    assert "the engine is gone" in guided.progress.problem


async def test_cancelled_it_ends_the_recording(tmp_path):
    bench = Bench(tmp_path, seconds=0.0)

    async def for_ever(seconds):
        await asyncio.Event().wait()

    bench.sleep = for_ever
    guided = bench.guided()
    guided.start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await guided.cancel()
    assert guided.progress.state == "cancelled"
    assert isinstance(bench.asked[-1], StopRecording)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("[trials]\n", "[outlet]\nlsl = false\n#", "[trials]"),
        ('[record]\nparticipant = "P01"\n', "", "[record]"),
    ],
)
def test_a_session_that_lacks_a_section_says_which(tmp_path, was, becomes, said):
    text = SESSION.replace(was, becomes)
    if said == "[trials]":
        text = text.replace("labels = {", "# labels = {")
    with pytest.raises(Unguided) as refused:
        Bench(tmp_path, text=text).guided()
    assert said in refused.value.cause


def test_a_senseless_plan_is_refused(tmp_path):
    with pytest.raises(Unguided, match="trials_per_class = 1"):
        Bench(tmp_path).guided(trials_per_class=1)
