"""A session whose decoder learns: what is told, what is recorded, and what a replay says."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.about import About
from bci_server.config import BadSession, parse_session
from bci_server.config import Session as BciSession
from bci_server.control import Mark
from bci_server.loop import Loop
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.replay import replay, taught
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName
from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rules.recursive_lda import RecursiveLda
from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from decoders.models.lda import Lda
from decoders.output import Adapted
from decoders.stage import Mismatch
from decoders.transcript import Transcript, parse_line
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.recording.recorded import Recorded
from devices.signal import Chunk, Marker
from tests.bci_server.scripted import Recorder as Listener
from tests.bci_server.scripted import ScriptedControls, ScriptedStream
from tests.decoders.drifting import PIPELINE, RATE_HZ, SIGNAL, lda, trials

RULE = RecursiveLda("cues", 0.2, 0.05)
WAIT_S = 60.0


@pytest.fixture(scope="module")
def model():
    return lda()


def started(model, adaptation=None):
    return model.run(SIGNAL, replace(PIPELINE, adaptation=adaptation), Lda())


class Session:
    """A loop on a scripted stream of drifted trials, and its recorder."""

    def __init__(self, folder, model, controls=(), adaptation=None):
        rows, cues, _ = trials(20, 1, (1.5, 0.5, 0.0, 0.0))
        self.clock = ManualClock()
        rng, script, at = np.random.default_rng(2), [], 0
        while at < len(rows):
            n = int(rng.integers(1, 7))
            times = (np.arange(at, min(at + n, len(rows))) + 1) / RATE_HZ
            script.append((float(times[-1]), Chunk(times, rows[at : at + n])))
            at += n
        markers = [Marker(m.time_s + 1 / RATE_HZ, m.label) for m in cues]
        stream = ScriptedStream(self.clock, script, SIGNAL, markers)
        self.out = Listener(self.clock)
        self.controls = ScriptedControls(self.clock, controls)
        decoder = DecoderName("lda", "1", model.hash)
        safety = Safety(stall_ms=5000.0)
        record = Record(participant="P01", folder=str(folder))
        self.recorder = Recorder(record, Content("demo", "amp", SIGNAL), self.clock)
        self.loop = Loop(
            About("demo", "amp", decoder, adapts=adaptation is not None),
            stream,
            started(model, adaptation),
            Guard(None, safety, decoder, self.clock),
            safety,
            None,
            [self.out],
            self.controls,
            self.clock,
            self.recorder,
        )

    def run(self):
        path = self.recorder.start_and_wait(WAIT_S)
        ending = self.loop.run()
        self.recorder.close(ending.state, ending.reason, WAIT_S)
        assert ending.state == "ended", ending
        return path


CONTROLS = [
    (10.1, Mark(call=1, label="off", kind="adapt")),
    (14.1, Mark(call=2, label="on", kind="adapt")),
    (30.1, Mark(call=3, label="rollback", kind="adapt", values=(2.0,))),
]


def test_clients_are_told_of_every_version_and_every_message_names_it(model, tmp_path):
    session = Session(tmp_path, model, CONTROLS, Adaptation(rules=(RULE,)))
    session.run()
    told = session.out.of("versions")
    assert [m.version for m in told[:4]] == [1, 2, 3, 4]
    assert [m.reason for m in told if "switched" in m.reason] == ["switched off", "switched on"]
    assert told[-1].version == 2
    assert "rollback" in told[-1].reason
    assert told[-1].hash == told[1].hash
    name = model.hash
    for message in session.out.messages:
        if message.topic == "versions":
            name = message.hash
        elif message.topic == "predictions":
            assert message.decoder.hash == name
    assert session.out.of("predictions")[-1].decoder.hash == told[-1].hash


def test_a_replay_of_the_recording_makes_every_version_again(model, tmp_path):
    adaptation = Adaptation(rules=(RULE,))
    session = Session(tmp_path, model, CONTROLS, adaptation)
    recorded = Recorded.open(session.run())
    lines = Transcript()
    run = started(model, adaptation)
    for turn in recorded.turns():
        chunk = Chunk(turn.times, turn.values, turn.gap)
        for decoded in run.feed(chunk, turn.markers, turn.events):
            lines.add(decoded.moment.sample, decoded.outputs)
    assert lines.sha256 == recorded.log()[-1]["outputs_sha256"]
    said = [o for line in recorded.lines() for o in parse_line(line)[1]]
    versions = [o for o in said if isinstance(o, Adapted)]
    assert [v.hash for v in versions] == [m.hash for m in session.out.of("versions")]
    assert len({v.hash for v in versions}) > 10


def test_what_was_learned_is_the_next_days_model(model, tmp_path):
    adaptation = Adaptation(rules=(RULE,))
    path = Session(tmp_path, model, adaptation=adaptation).run()
    kept = []
    replayed = replay(
        Replay(str(path), math.inf),
        learning_session(adaptation),
        model,
        then=lambda run: kept.extend([taught(model, run), taught(model, run, 3), run]),
    )
    assert replayed.is_equal, replayed
    last, third, run = kept
    assert weights_hash(last.weights) == run.adaptive.versions.current.hash
    assert weights_hash(third.weights) == run.adaptive.versions.kept[3].hash
    last.save(tmp_path / "tomorrow")
    loaded = Artifact.load(tmp_path / "tomorrow")
    assert loaded.hash == last.hash != model.hash
    assert started(loaded, adaptation).signal == SIGNAL
    with pytest.raises(Mismatch, match="no version 999; there is 0, 1"):
        taught(model, run, 999)
    with pytest.raises(Mismatch, match="did not adapt"):
        taught(model, started(model))


def learning_session(adaptation):
    """The session, as its file would describe it."""
    pipeline = replace(PIPELINE, adaptation=adaptation)
    return BciSession("demo", Replay("x"), pipeline, Lda(), Path("m"))


def test_a_session_that_does_not_adapt_cannot_be_switched(model, tmp_path):
    session = Session(tmp_path, model, CONTROLS[:1])
    session.run()
    (answer,) = session.controls.answers
    assert not answer.ok
    assert "[adaptation]" in answer.fix


FILE = """
name = "demo"
[device]
kind = "simulator_eeg"
[blocks]
hop_s = 0.1
[decoder]
kind = "lda"
model = "models/m"
[trials]
labels = { left = "left", right = "right" }
"""


def test_the_section_becomes_rules(tmp_path):
    text = FILE + (
        "[adaptation]\non = false\nmost_change = 0.5\nshadow_trials = 20\n"
        '[[adaptation.rules]]\nkind = "recursive_lda"\nrate = 0.1\nlabels = "feedback"\n'
    )
    adaptation = parse_session(text, tmp_path).pipeline.adaptation
    rule = RecursiveLda("feedback", 0.1)
    assert adaptation == Adaptation(False, 0.5, shadow_trials=20, rules=(rule,))
    assert parse_session(FILE, tmp_path).pipeline.adaptation is None


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("[adaptation]\n", "needs rules"),
        ('[adaptation]\nonn = true\n[[adaptation.rules]]\nkind = "recursive_lda"\n', "'onn'"),
        ('[[adaptation.rules]]\nkind = "recursive_ldb"\n', "did you mean 'recursive_lda'"),
        ('[[adaptation.rules]]\nkind = "recursive_lda"\nrate = 2\n', "line 12: rate"),
        ('[adaptation]\nkeep = 1\n[[adaptation.rules]]\nkind = "recursive_lda"\n', "keep >= 4"),
    ],
)
def test_what_is_wrong_with_the_section_is_said_with_its_line(section, what, tmp_path):
    with pytest.raises(BadSession, match="adaptation") as refused:
        parse_session(FILE + section, tmp_path)
    assert what in str(refused.value)
