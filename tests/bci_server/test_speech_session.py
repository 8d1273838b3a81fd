"""A session of speech: what is asked of it, what clients are told, and what a replay says."""

import math
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest

from bci_server.about import About
from bci_server.calls import Limit
from bci_server.config import Session as BciSession
from bci_server.control import ArmLease, DisarmLease, Mark, RenewLease
from bci_server.loop import Loop
from bci_server.mapping import Commands
from bci_server.outlet import LslOutlets
from bci_server.outputs import said_by
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.replay import replay
from bci_server.safety.gate import Shape
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName
from decoders.artifact import Artifact
from decoders.describe import describe, describe_pipeline
from decoders.pipeline import Pipeline
from decoders.speech.sentences import Sentences
from decoders.transcript import parse_line
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.recording.recorded import Recorded
from devices.signal import Chunk, Marker
from devices.speech.phonemes import CLASSES
from tests.bci_server.scripted import Recorder as Listener
from tests.bci_server.scripted import ScriptedControls, ScriptedStream
from tests.decoders.speech.spelling import Language
from tests.decoders.speech.test_running import SIGNAL, Phonemes, phonemes

WAIT_S = 60.0
PIPELINE = Pipeline(0.02, sentences=Sentences(), language=Language())
SAID = ("HH", "AY", "|", "-", "N", "OW", "-", "Y", "EH", "S", "|", "-", "AY", "OW", "|", "-")


@dataclass(frozen=True)
class Read:
    """A decoder of speech that reads the class off the sample."""

    task: Literal["speech"] = "speech"

    def start(self, signal, labels, unit, weights):
        return Phonemes()


def model(pipeline=PIPELINE):
    described = describe_pipeline(pipeline)
    return Artifact(
        describe(Read()), described, SIGNAL, CLASSES, "", {"w": np.zeros(1)}, training_sha256="0"
    )


class Session:
    """A loop on a scripted stream of phonemes, and its recorder."""

    def __init__(
        self, folder, controls=(), pipeline=PIPELINE, markers=(), gap=None, commands=None, least=0.0
    ):
        script, at = [], 0
        chunk = phonemes(*SAID)
        self.clock = ManualClock()
        while at < len(chunk):
            n = gap - at if gap is not None and at < gap < at + 2 else 2
            times = (np.arange(at, min(at + n, len(chunk))) + 1) / SIGNAL.rate_hz
            times += 1.0 if gap is not None and at >= gap else 0.0
            script.append((float(times[-1]), Chunk(times, chunk.values[at : at + n], at == gap)))
            at += n
        stream = ScriptedStream(self.clock, script, SIGNAL, markers)
        run = model(pipeline).run(SIGNAL, pipeline, Read())
        decoder = DecoderName("read", "1", "abc", run.language)
        safety = Safety(stall_ms=5000.0, min_confidence=least)
        shape = None if commands is None else Shape("click", ("click",), "1")
        self.out = Listener(self.clock)
        self.controls = ScriptedControls(self.clock, controls)
        about = {"language": run.language, "model": model(pipeline).hash}
        content = Content("demo", "array", SIGNAL, about=about)
        record = Record(participant="P01", folder=str(folder))
        self.recorder = Recorder(record, content, self.clock)
        self.loop = Loop(
            About("demo", "array", decoder),
            stream,
            run,
            Guard(shape, safety, decoder, self.clock),
            safety,
            commands,
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

    @property
    def finals(self):
        return [m.text for m in self.out.of("tokens") if m.is_final]


ASKED = [
    (0.05, Mark(call=1, label="word Ayo AY OW", kind="speech")),
    (0.53, Mark(call=2, label="finalize", kind="speech")),
    (0.77, Mark(call=3, label="reset", kind="speech")),
    (1.00, Mark(call=4, label="wrong yes: indeed", kind="speech")),
]


def test_words_come_as_tokens_that_name_the_language(tmp_path):
    session = Session(tmp_path)
    session.run()
    assert session.finals == ["HHAY", "NOWYEHS", "AYOW"]
    first = session.out.of("tokens")[0]
    assert (first.text, first.is_final, first.item, first.first) == ("HH", False, 3, 3)
    assert first.decoder.language == "abcdef012345"
    assert len(session.out.of("predictions")) == len(SAID)


def test_words_stand_on_lsl_where_they_were_spoken(tmp_path, lsl):
    session = Session(tmp_path, gap=29)
    session.run()
    described = BciSession("speech-lsl", Replay("x"), PIPELINE, Read(), Path("m"))
    said = said_by(described, model(), None, SIGNAL.rate_hz)
    with closing(LslOutlets(described.name, said)) as outlets:
        (found,) = lsl.resolve_byprop("name", "speech-lsl-tokens", 1, timeout=10)
        inlet = lsl.StreamInlet(found)
        inlet.open_stream(timeout=10)
        for message in session.out.messages:
            outlets.put(message)
        got = [inlet.pull_sample(timeout=10) for _ in session.finals]
        inlet.close_stream()
    assert [text for (text,), _ in got] == session.finals
    sampled = {m.sample: m.ledger.sampled_s for m in session.out.messages}
    spoken = [sampled[m.last] for m in session.out.of("tokens") if m.is_final]
    assert [stamp for _, stamp in got] == pytest.approx(spoken)


def test_what_is_asked_is_done_at_its_sample_and_told_to_all(tmp_path):
    session = Session(tmp_path, ASKED)
    session.run()
    assert session.finals == ["HHAY", "NOW", "S", "yes: indeed", "Ayo"]
    answers = session.controls.answers
    assert [a.ok for a in answers] == [True] * 4
    events = [m for m in session.out.of("markers") if m.kind == "speech"]
    assert [(m.label, m.sample) for m in events] == [
        (mark.label, answer.sample) for (_, mark), answer in zip(ASKED, answers, strict=True)
    ]


def test_markers_of_the_device_ask_the_same(tmp_path):
    at = [(due, f"feedback:speech:{mark.label}") for due, mark in ASKED]
    session = Session(tmp_path, markers=[Marker(due, text) for due, text in at])
    session.run()
    assert session.finals == ["HHAY", "NOW", "S", "yes: indeed", "Ayo"]


def test_a_replay_says_every_token_again_to_the_bit(tmp_path):
    session = Session(tmp_path, ASKED, gap=29)
    path = session.run()
    described = BciSession("demo", Replay("x"), PIPELINE, Read(), Path("m"))
    replayed = replay(Replay(str(path), math.inf), described, model())
    assert replayed.is_equal, replayed
    assert replayed.notes == ()
    with Recorded.open(path) as recorded:
        said = [o for line in recorded.lines() for o in parse_line(line)[1]]
    tokens = [o for o in said if type(o).__name__ == "Token"]
    told = session.out.of("tokens")
    assert [(t.item, t.text, t.first, t.last, t.confidence) for t in tokens] == [
        (m.item, m.text, m.first, m.last, m.confidence) for m in told
    ]
    assert [[(a.text, a.confidence) for a in t.alternatives] for t in tokens] == [
        [(a.text, a.confidence) for a in m.alternatives] for m in told
    ]
    assert any(t.alternatives for t in tokens)


def test_a_replay_with_another_language_says_so(tmp_path):
    path = Session(tmp_path).run()
    pipeline = replace(PIPELINE, language=None)
    described = BciSession("demo", Replay("x"), pipeline, Read(), Path("m"))
    replayed = replay(Replay(str(path), math.inf), described, model())
    assert not replayed.is_equal
    assert replayed.notes == ("another language then: abcdef012345; now it is none",)


COMMANDS = Commands(("click",), {"HHAY": (1.0,)}, "click", on="words", hold_s=0.1)


ARM = ArmLease(call=1, holder="anna", limits={"click": Limit(value=1.0, velocity=10.0)})


def clicks(folder, armed=True, least=0.0, at_s=0.05, between=()):
    renew = [(0.1 * n, RenewLease(call=2, holder="anna")) for n in range(1, 14) if 0.1 * n > at_s]
    asked = sorted([(at_s, ARM), *renew, *between], key=lambda each: each[0])
    session = Session(folder, asked if armed else [], commands=COMMANDS, least=least)
    session.run()
    assert all(a.ok for a in session.controls.answers), session.controls.answers
    return [m for m in session.out.of("commands") if m.mode == "click"]


def test_a_word_clicks_through_the_gate_and_for_a_moment(tmp_path):
    found = clicks(tmp_path)
    assert [(m.sample, m.values, m.confidence) for m in found] == [
        (sample, (1.0,), 0.9) for sample in range(11, 16)
    ]


def test_a_word_clicks_nothing_where_nobody_is_armed_or_it_is_not_sure(tmp_path):
    assert not clicks(tmp_path / "a", armed=False)
    assert not clicks(tmp_path / "b", least=0.95)


def test_a_word_of_before_the_lease_or_of_another_lease_clicks_nothing(tmp_path):
    assert not clicks(tmp_path / "before", at_s=0.25)
    assert not clicks(tmp_path / "begun before", at_s=0.15)
    again = [(0.25, DisarmLease(call=3, holder="anna")), (0.27, ARM)]
    assert [m.sample for m in clicks(tmp_path / "another", between=again)] == [11]


def test_a_word_that_nobody_can_say_is_refused_and_harms_nothing(tmp_path):
    controls = [(0.5, Mark(call=1, label="word Xqz", kind="speech"))]
    markers = [Marker(0.3, "feedback:speech:word Xqz")]
    session = Session(tmp_path, controls, markers=markers)
    session.run()
    (answer,) = session.controls.answers
    assert (answer.ok, answer.error) == (False, "Xqz: how it is said is not known")
    assert "phonemes" in answer.fix
    assert session.finals == ["HHAY", "NOWYEHS", "AYOW"]


@pytest.mark.parametrize("asked", ["finalize", "reset", "wrong", "word Ayo"])
def test_a_session_without_a_language_refuses(tmp_path, asked):
    controls = [(0.5, Mark(call=1, label=asked, kind="speech"))]
    session = Session(tmp_path, controls, replace(PIPELINE, language=None))
    session.run()
    (answer,) = session.controls.answers
    assert not answer.ok
    assert "makes no words" in answer.error
    assert "[language]" in answer.fix
    assert not session.out.of("markers")
    assert "language" not in msgspec.to_builtins(session.out.of("predictions")[0].decoder)
