"""A session whose decoder says a voice: from calibration to a replay."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bci_server.about import About
from bci_server.config import parse_session
from bci_server.evaluation.evaluate import Controls, evaluate
from bci_server.loop import Loop
from bci_server.outputs import said_by, shape_of
from bci_server.recording.items import Content
from bci_server.recording.names import Record
from bci_server.recording.recorder import Recorder
from bci_server.replay import replay
from bci_server.safety.guard import Guard
from bci_server.safety.limits import Safety
from bci_server.wire import DecoderName
from decoders.calibrating.calibration import calibrate
from decoders.models.ridge import Ridge
from decoders.output import Voice
from decoders.pipeline import Pipeline
from decoders.transcript import parse_line
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.recording.recorded import Recorded
from devices.signal import Chunk
from tests.bci_server.scripted import Recorder as Listener
from tests.bci_server.scripted import ScriptedControls, ScriptedStream
from tests.decoders.made import followed

RIDGE = Ridge(3, 0.01, mode="voice")
PIPELINE = Pipeline(0.05)
WAIT_S = 60.0
FILE = """
name = "voice"
[device]
kind = "simulator_eeg"
[blocks]
hop_s = 0.02
[decoder]
kind = "ridge"
mode = "voice"
model = "m"
"""


def part(first, end):
    whole = followed(5000)
    return replace(whole, values=whole.values[first:end], truth=whole.truth[first:end])


TRAINED, HELD_OUT = part(0, 3000), part(3000, 5000)


@pytest.fixture(scope="module")
def model():
    return calibrate(PIPELINE, RIDGE, [TRAINED])


def test_it_gives_no_commands_that_anybody_could_arm(model, tmp_path):
    session = parse_session(FILE, tmp_path)
    assert session.decoder == replace(Ridge(), mode="voice")
    session = replace(session, decoder=RIDGE)
    assert shape_of(session, model) is None
    said = said_by(session, model, None, 100.0)
    assert (said.voice, said.voice_unit) == (model.labels, model.unit)
    assert (said.shape, said.labels, said.token_rate_hz) == (None, (), None)


def test_it_is_scored_like_any_values_and_at_chance_when_the_truth_is_turned(model):
    right = evaluate(model, PIPELINE, RIDGE, [HELD_OUT]).metrics
    commanding = replace(RIDGE, mode="velocity")
    as_velocity = calibrate(PIPELINE, commanding, [TRAINED])
    same = evaluate(as_velocity, PIPELINE, commanding, [HELD_OUT]).metrics
    assert right["correlation"] == same["correlation"]
    turned = evaluate(model, PIPELINE, RIDGE, [HELD_OUT], controls=Controls(shift_s=30.0)).metrics
    assert max(map(abs, turned["correlation"])) < 0.3 < min(map(abs, right["correlation"]))


def test_what_is_recorded_is_said_again_to_the_bit(model, tmp_path):
    made = part(3000, 3600)
    clock, reading, script = ManualClock(), made.open(), []
    for _ in range(12):
        chunk = reading.read(1.0)
        times = chunk.times + 0.05
        script.append((float(times[-1]), Chunk(times, chunk.values)))
    out = Listener(clock)
    safety = Safety(stall_ms=5000.0)
    decoder = DecoderName("ridge", "1", model.hash)
    record = Record(participant="P01", folder=str(tmp_path))
    recorder = Recorder(record, Content("demo", "amp", made.signal), clock)
    loop = Loop(
        About("demo", "amp", decoder),
        ScriptedStream(clock, script, made.signal),
        model.run(made.signal, PIPELINE, RIDGE),
        Guard(None, safety, decoder, clock),
        safety,
        None,
        [out],
        ScriptedControls(clock),
        clock,
        recorder,
    )
    path = recorder.start_and_wait(WAIT_S)
    ending = loop.run()
    recorder.close(ending.state, ending.reason, WAIT_S)
    session = replace(parse_session(FILE, tmp_path), pipeline=PIPELINE, decoder=RIDGE)
    replayed = replay(Replay(str(path), math.inf), session, model)
    assert replayed.is_equal, replayed
    with Recorded.open(Path(path)) as recorded:
        said = [o for line in recorded.lines() for o in parse_line(line)[1]]
    assert {type(o) for o in said} == {Voice}
    assert [o.values for o in said] == [m.values for m in out.of("voice")]
    assert len(said) > 500
