"""A session of speech on a later day: it learns from what it hears, and can be gone back on."""

import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bci_server.about import About
from bci_server.config import Session as BciSession
from bci_server.control import Mark
from bci_server.loop import Loop
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.replay import replay
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.tuning import Tuning
from bci_server.wire import DecoderName
from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rules.speech_recalibration import SpeechRecalibration
from decoders.adapting.version_folder import VersionFolder
from decoders.adapting.versions import weights_hash
from decoders.artifact import Artifact
from decoders.decoder import Moment
from decoders.output import Adapted
from decoders.speech.ctc import edits
from decoders.speech.language import Language
from decoders.speech.order import Made
from decoders.stage import Mismatch
from decoders.training.beside import make
from decoders.transcript import parse_line
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.recording.recorded import Recorded
from devices.signal import Chunk
from devices.speech.phonemes import CLASSES
from tests.bci_server.scripted import Recorder as Listener
from tests.bci_server.scripted import ScriptedControls, ScriptedStream
from tests.bci_server.spoken_days import (
    PIPELINE,
    RATE_HZ,
    SIGNAL,
    SPEECH,
    AtOnce,
    first_day,
    rows,
    texts,
)
from tests.decoders.speech.tiny_language import make as make_language

WAIT_S = 60.0
SAID = texts(18, 5)
RULE = SpeechRecalibration(every=12, keep=16, proving=4, fewest=6)
TURN = 5
"""Rows a turn of the loop."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder with the model of the first day, and steps with a language in memory."""
    folder = tmp_path_factory.mktemp("speech")
    first_day().save(folder / "model")
    language = Language(make_language(folder / "language"))
    return folder, replace(PIPELINE, language=language).in_memory()


@pytest.fixture(scope="module")
def later():
    return rows(SAID, 6, drift=1.0)


class Session:
    """A loop on a scripted stream of a later day; what is ordered is made at once."""

    def __init__(self, place, record_to, later, controls=(), rule=RULE, work=None):
        self.folder, pipeline = place
        self.clock = ManualClock()
        self.model = Artifact.load(self.folder / "model")
        adaptation = None if rule is None else Adaptation(rules=(rule,))
        self.pipeline = replace(pipeline, adaptation=adaptation)
        script = []
        for at in range(0, len(later), TURN):
            times = (np.arange(at, min(at + TURN, len(later))) + 1) / RATE_HZ
            script.append((float(times[-1]), Chunk(times, later[at : at + TURN])))
        self.made, self.orders = {}, AtOnce()
        versions = VersionFolder(self.folder / "model", self.model.weights)
        work = work or partial(make, SPEECH, self.model, versions, language=self.pipeline.language)
        self.started = self.model.run(SIGNAL, self.pipeline, SPEECH, self.made)
        decoder = DecoderName("speech", "1", self.model.hash, self.started.language)
        safety = Safety(stall_ms=5000.0)
        self.out = Listener(self.clock)
        about = {"language": self.started.language, "model": self.model.hash}
        record = Record(participant="P01", folder=str(record_to))
        content = Content("demo", "array", SIGNAL, about=about)
        self.recorder = Recorder(record, content, self.clock)
        self.controls = ScriptedControls(self.clock, controls)
        self.loop = Loop(
            About("demo", "array", decoder, adapts=rule is not None),
            ScriptedStream(self.clock, script, SIGNAL),
            self.started,
            Guard(None, safety, decoder, self.clock),
            safety,
            None,
            [self.out],
            self.controls,
            self.clock,
            self.recorder,
            tuning=Tuning(work, self.made, executor=self.orders),
        )

    def run(self):
        path = self.recorder.start_and_wait(WAIT_S)
        ending = self.loop.run()
        self.recorder.close(ending.state, ending.reason, WAIT_S)
        assert ending.state == "ended", ending
        return path

    @property
    def told(self):
        return [m.reason for m in self.out.of("versions")]

    def predictions(self, after):
        return [(m.sample, m.probabilities) for m in self.out.of("predictions") if m.sample > after]

    def again(self, path, model):
        """Replay it, with the weights that are beside a model."""
        described = BciSession("demo", Replay("x"), self.pipeline, SPEECH, Path("m"))
        made = VersionFolder(model, self.model.weights)
        return replay(Replay(str(path), math.inf), described, self.model, made=made)


@pytest.fixture(scope="module")
def adapted(place, later, tmp_path_factory):
    session = Session(place, tmp_path_factory.mktemp("adapted"), later)
    return session, session.run()


@pytest.fixture(scope="module")
def fixed(place, later, tmp_path_factory):
    session = Session(place, tmp_path_factory.mktemp("fixed"), later, rule=None)
    session.run()
    return session


def test_what_proves_better_takes_over_in_the_next_silence(adapted, fixed):
    session, _ = adapted
    (version,) = session.out.of("versions")
    assert (version.version, version.parent, version.n_labels) == (1, 0, 8)
    found = re.fullmatch(
        r"recalibration: 8 of 12 utterances; on 4 others the network differs from what was said "
        r"by (0\.\d+), before by (0\.\d+)",
        version.reason,
    )
    assert float(found[1]) + 0.05 < float(found[2])
    spoken = [(t.first, t.last) for t in session.out.of("tokens") if t.is_final and t.text]
    assert not any(first <= version.sample <= last for first, last in spoken)
    assert version.first < version.last < version.sample
    names = {m.decoder.hash for m in session.out.of("predictions") if m.sample > version.sample}
    assert names == {version.hash}
    # To the bit as without, until then.
    assert (
        session.predictions(-1)[: version.sample // 4 - 1]
        == (fixed.predictions(-1)[: version.sample // 4 - 1])
    )
    assert session.predictions(version.sample) != fixed.predictions(version.sample)


def test_a_replay_takes_the_same_weights_at_the_same_sample(adapted):
    session, path = adapted
    replayed = session.again(path, session.folder / "model")
    assert replayed.is_equal, replayed
    assert replayed.notes == ()
    with Recorded.open(path) as recorded:
        said = [o for line in recorded.lines() for o in parse_line(line)[1]]
    (version,) = (o for o in said if isinstance(o, Adapted))
    assert [version.hash] == [m.hash for m in session.out.of("versions")]
    assert (session.folder / "model.versions" / f"{version.hash}.safetensors").exists()


def test_a_replay_without_the_weights_says_which_file_is_missing(adapted, tmp_path):
    session, path = adapted
    replayed = session.again(path, tmp_path / "elsewhere")
    (name,) = (m.hash for m in session.out.of("versions"))
    assert not replayed.is_equal
    assert replayed.notes == (
        f"weights that decoded then are not in {tmp_path / 'elsewhere.versions'}: {name}",
    )
    assert f"refused: the weights {name} are not beside the model" in replayed.difference.replayed


def test_a_rollback_decodes_to_the_bit_what_the_calibrated_weights_make_of_the_rows(
    place, later, adapted, fixed, tmp_path
):
    first, _ = adapted
    (version,) = first.out.of("versions")
    at = (version.sample + 101) / RATE_HZ
    back = [(at, Mark(call=1, label="rollback", kind="adapt", values=(0.0,)))]
    session = Session(place, tmp_path, later, back, work=as_made(first))
    session.run()
    assert session.out.of("versions")[-1].hash == weights_hash(first.model.weights)
    assert session.told[-1] == "rollback from 1"
    at = session.out.of("versions")[-1].sample
    begin = at - SPEECH.memory_rows
    decoding = SPEECH.start(SIGNAL, CLASSES, "", first.model.weights)
    expected = []
    for number, row in enumerate(later[begin:], begin):
        for said in decoding(Chunk(np.zeros(1), row[None]), Moment(number, 0.0)):
            expected += [(number, said.probabilities)] * (number >= at)
    assert session.predictions(at - 1) == expected
    assert len(expected) > 50
    # What was said long before fades, but not to the bit.
    never = dict(fixed.predictions(at))
    near = [np.abs(np.subtract(p, never[n])).max() for n, p in expected if n in never]
    assert near
    assert np.median(near) < 0.01


def test_a_storm_of_wrong_corrections_is_refused_and_changes_nothing(place, later, fixed, tmp_path):
    wrong = Mark(call=1, label="wrong you no you no", kind="speech")
    storm = [(0.5 * n, wrong) for n in range(int(len(later) / RATE_HZ / 0.5))]
    session = Session(place, tmp_path, later, storm)
    session.run()
    (order,) = session.orders.given
    assert sum(kept.is_told for kept in order.kept) >= 11
    assert re.fullmatch(
        r"refused: on 4 utterances that were left out, the network's paths of \d+ phonemes differ "
        r"from the labels by \d\.\d+, more than 0\.4; before, \d+ phonemes by \d\.\d+",
        session.told[0],
    )
    assert session.predictions(-1) == fixed.predictions(-1)
    assert not session.made


def test_what_somebody_corrects_is_learned_and_what_is_only_wrong_is_not(
    place, later, fixed, tmp_path
):
    ends = sorted({t.last for t in fixed.out.of("tokens") if t.segment_final})
    after = [(end + 45) / RATE_HZ for end in ends]
    controls = [
        (after[0], Mark(call=1, label="wrong", kind="speech")),
        (after[1], Mark(call=2, label="wrong i can see", kind="speech")),
        (after[3], Mark(call=3, label="you see", kind="label", sample=ends[2])),
    ]
    session = Session(place, tmp_path, later, controls, work=never)
    session.run()
    (order,) = session.orders.given
    told = [(n, kept.text) for n, kept in enumerate(order.kept) if kept.is_told]
    assert told == [(0, "i can see"), (1, "you see")]
    assert [a.ok for a in session.controls.answers] == [True] * 3
    assert session.told == ["refused: nobody works here"]


def test_a_client_can_ask_for_it_and_is_told_why_not(place, later, tmp_path):
    ask = Mark(call=1, label="recalibrate", kind="adapt")
    rule = replace(RULE, every=1000)
    session = Session(place, tmp_path, later, [(3.0, ask), (35.0, ask)], rule, never)
    session.run()
    assert session.told[0] == "refused: 1 utterances were heard that count; 10 are needed"
    assert session.told[1] == "refused: nobody works here"
    assert session.orders.n == 1


def test_what_comes_when_it_is_switched_off_is_refused_and_it_goes_on_later(
    place, later, adapted, tmp_path
):
    first, _ = adapted
    (version,) = first.out.of("versions")
    ordered_s = version.sample / RATE_HZ
    switch = [
        (ordered_s + 0.05, Mark(call=1, label="off", kind="adapt")),
        (ordered_s + 0.50, Mark(call=2, label="on", kind="adapt")),
        (ordered_s + 4.0, Mark(call=3, label="recalibrate", kind="adapt")),
    ]
    session = Session(place, tmp_path, later, switch, work=as_made(first))
    session.run()
    name = version.hash
    assert session.told[:2] == [
        "switched off",
        f"refused: made {name}: the adaptation is off",
    ]
    assert session.told[2] == "switched on"
    assert session.out.of("versions")[-1].hash == name


def test_it_wants_a_language_and_no_shadow_of_trials(place):
    folder, pipeline = place
    model = Artifact.load(folder / "model")
    mute = replace(pipeline, language=None, adaptation=Adaptation(rules=(RULE,)))
    with pytest.raises(Mismatch, match=r"no \[language\]"):
        model.run(SIGNAL, mute, SPEECH)
    shadowed = replace(pipeline, adaptation=Adaptation(shadow_trials=5, rules=(RULE,)))
    with pytest.raises(Mismatch, match="shadow_trials = 5"):
        model.run(SIGNAL, shadowed, SPEECH)


def never(order):
    raise Mismatch("nobody works here")


def as_made(session):
    """Give what a session before was given."""

    def work(order):
        ((name, weights),) = session.made.items()
        return Made(weights, 12, 8, 4, 0.1, 0.0, name)

    return work


def test_where_it_hears_next_to_nothing_rows_alone_bring_it_nearer(place, tmp_path):
    session = Session(place, tmp_path, 0.35 * rows(SAID, 6))
    path = session.run()
    (version,) = session.out.of("versions")
    assert (version.version, version.n_labels) == (1, 0)
    found = re.fullmatch(
        r"settled on the rows of 12 utterances: the network differs from what the language makes "
        r"of it by (0\.\d+), before by (0\.\d+)",
        version.reason,
    )
    assert float(found[1]) + 0.2 < float(found[2])
    finals = [t for t in session.out.of("tokens") if t.is_final and t.text]
    after = [t.text.replace("sea", "see") for t in finals if t.first > version.sample]
    before = [t.text for t in finals if t.last < version.sample]
    assert len(after) > 8
    assert " ".join(after) in " ".join(SAID)
    assert edits(before, " ".join(SAID).split()[: len(before)]).rate > 0.4
    replayed = session.again(path, session.folder / "model")
    assert replayed.is_equal, replayed
