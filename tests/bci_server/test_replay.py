"""Sessions run by the engine and recorded by it, decoded again."""

import json
import math
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError
from bci_server.config import parse_session
from bci_server.evaluation.compare import compare
from bci_server.replay import recorded_session, replay
from benchmarks.replay_exact import one_session
from benchmarks.replay_sources import clock_resets, over_lsl, spikes
from decoders.artifact import Artifact, ArtifactError
from decoders.calibrating.calibration import calibrate
from decoders.stage import Mismatch
from devices.adapters.replay import Replay
from devices.clock import ManualClock
from devices.device import DeviceRefused
from devices.recording.checksums import sidecar_of
from devices.recording.recorded import Recorded

SOURCES = {
    "simulator": lambda simulated, data, folder: simulated,
    "m1_stevenson": lambda simulated, data, folder: spikes(data, folder),
    "clock_resets": lambda simulated, data, folder: clock_resets(data, folder),
    "simulator over LSL": lambda simulated, data, folder: over_lsl(simulated),
}


@pytest.mark.usefixtures("lsl")
@pytest.mark.parametrize("name", SOURCES)
def test_what_was_said_live_is_said_again(simulated, shared_data, name, tmp_path):
    source = SOURCES[name](simulated, shared_data, tmp_path)
    outcome = one_session(source, 3, tmp_path)
    assert outcome.n_events
    assert outcome.n_markers
    assert outcome.replayed.n_outputs > 100
    assert outcome.replayed.is_equal, outcome.replayed
    assert outcome.replayed.outputs_sha256 == outcome.replayed.recorded_sha256


@pytest.fixture
def recording(simulated_recording):
    return simulated_recording


@pytest.fixture(scope="module")
def other_model(simulated, tmp_path_factory):
    """Another kind of decoder, fitted to the same kind of session."""
    body = simulated.session.text.replace("tangent_space", "mdm")
    session = parse_session(body, tmp_path_factory.mktemp("other"))
    fit = replace(simulated.device(7), speed=math.inf)
    model = session.model.with_name("model-mdm")
    calibrate(session.pipeline, session.decoder, [fit]).save(model)
    return model


def test_another_model_says_other_things_and_where_is_said(recording, other_model):
    session, artifact = recorded_session(recording, other_model)
    replayed = replay(Replay(str(recording), math.inf), session, artifact)
    assert not replayed.is_equal
    assert replayed.difference is not None
    assert replayed.difference.number == 0
    assert replayed.difference.recorded != replayed.difference.replayed
    assert any(artifact.hash in note for note in replayed.notes)


def test_two_models_are_held_together(recording, other_model):
    session, artifact = recorded_session(recording)
    models = (artifact, Artifact.load(other_model))
    device = Replay(str(recording), math.inf)
    comparison = compare(device, session, models)
    assert [side.decoder.name for side in comparison.sides] == ["tangent_space", "mdm"]
    assert comparison.agreement["blocks"] > 100
    assert 0 <= comparison.agreement["same_label"] <= 1
    assert all(side.latency_ms["p50"] > 0 for side in comparison.sides)
    same = compare(device, session, (artifact, artifact))
    assert same.agreement["same_label"] == 1.0
    assert same.agreement["mean_difference"] == 0.0


def test_the_command_says_equal_and_ends_with_0(recording):
    result = CliRunner().invoke(app, ["replay", str(recording), "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)["replay"]
    assert said["is_equal"]
    assert said["outputs_sha256"] == said["recorded_sha256"]
    shown = CliRunner().invoke(app, ["replay", str(recording)])
    assert f"replayed {said['outputs_sha256']}" in shown.stdout
    assert "equal:" in shown.stdout


def test_the_command_shows_the_first_difference_and_ends_with_1(recording, other_model):
    arguments = ["replay", str(recording), "--model", str(other_model)]
    result = CliRunner().invoke(app, [*arguments, "--compare", str(other_model)])
    assert result.exit_code == 1
    assert "not equal from output 0 on" in result.stdout
    assert "same_label 1" in result.stdout


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
def test_a_wrong_speed_is_said_in_words(recording, speed):
    result = CliRunner().invoke(app, ["replay", str(recording), "--speed", speed])
    assert isinstance(result.exception, CommandError)
    assert repr(speed) in str(result.exception)


def test_a_model_that_is_not_there_is_named_with_the_remedy(recording, tmp_path):
    result = CliRunner().invoke(app, ["replay", str(recording), "--model", str(tmp_path)])
    assert isinstance(result.exception, ArtifactError)


def test_at_a_pace_every_chunk_comes_when_it_came(recording):
    clock = ManualClock(1000.0)
    session, artifact = recorded_session(recording)
    replayed = replay(Replay(str(recording), 2.0), session, artifact, clock=clock)
    assert replayed.is_equal
    assert replayed.schedule_error_ms == pytest.approx(0.0, abs=1e-6)
    with Recorded.open(recording) as recorded:
        length_s = recorded.received_s[-1] - recorded.received_s[0]
    assert clock.now() - 1000.0 == pytest.approx(length_s / 2)


def test_a_killed_recording_is_compared_as_far_as_it_goes(recording, tmp_path):
    cut = tmp_path / "cut.xdf"
    content = recording.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    replayed = replay(Replay(str(cut), math.inf), *recorded_session(cut))
    assert replayed.is_equal, replayed
    assert replayed.difference is None
    assert any("not ended in good order" in note for note in replayed.notes)


def test_without_its_checksums_it_replays_all_the_same(recording, tmp_path):
    alone = tmp_path / "alone.xdf"
    shutil.copy(recording, alone)
    assert replay(Replay(str(alone), math.inf), *recorded_session(alone)).is_equal


def test_a_sample_with_a_flipped_bit_is_refused_by_its_checksum(recording, tmp_path):
    flipped = tmp_path / "flipped.xdf"
    with Recorded.open(recording) as recorded:
        sample = next(recorded.turns(10)).values[0].tobytes()
    content = bytearray(recording.read_bytes())
    content[content.index(sample)] ^= 1
    flipped.write_bytes(content)
    shutil.copy(sidecar_of(recording), sidecar_of(flipped))
    with pytest.raises(DeviceRefused, match="a checksum is wrong"):
        replay(Replay(str(flipped), math.inf), *recorded_session(flipped))


def test_a_session_that_did_not_adapt_has_learned_nothing_to_keep(recording, tmp_path):
    result = CliRunner().invoke(app, ["replay", str(recording), "--keep", str(tmp_path / "m")])
    assert isinstance(result.exception, Mismatch)
    assert "did not adapt" in str(result.exception)
    assert not (tmp_path / "m").exists()
    taken = CliRunner().invoke(app, ["replay", str(recording), "--keep", str(tmp_path)])
    assert isinstance(taken.exception, CommandError)
    assert "there already" in str(taken.exception)
