"""Real recordings that are harmed: lost electrodes, spikes that drift; and wishes without a cue."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import load_session
from bci_server.evaluation.evaluate import evaluate
from benchmarks.harmed import Drift, Harmed, LostElectrodes
from decoders.calibrating.calibration import calibrate
from decoders.features.zscore import Zscore
from decoders.lost_channels import LostChannels
from decoders.models.ridge import Ridge
from decoders.stage import Chain
from devices.adapters.recording import Recording
from devices.recording.formats import open_recording

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"


def run_of(shared_data: Path, number: int) -> Recording:
    path = shared_data / "eegmmi_s001" / f"S001R{number:02d}.edf"
    if not path.exists():
        pytest.skip(f"no {path}")
    return Recording(str(path), speed=math.inf, chunk_s=1.0)


def test_three_lost_electrodes_cost_next_to_nothing(shared_data: Path) -> None:
    session = load_session(SESSIONS / "motor_imagery.toml")
    pipeline = replace(session.pipeline, lost_channels=LostChannels("draw"))
    model = calibrate(pipeline, session.decoder, [run_of(shared_data, 6)], scored=False)
    for lost, how in ((("C3", "Cz", "Cp4"), "nan"), (("Fc1", "C4", "Cpz"), "flat")):
        harmed = Harmed(run_of(shared_data, 10), LostElectrodes(lost, how, after=500))
        metrics = evaluate(model, pipeline, session.decoder, [harmed]).metrics
        assert metrics["accuracy"] >= 0.8
        assert metrics["auc"] >= 0.93


def test_a_running_normaliser_withstands_drift_that_a_fixed_decoder_does_not(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    archive = shared_data / "m1_stevenson" / "stevenson_first70.npz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    parts = []
    for name, start, stop in (("fit", "0.5", "0.9"), ("rest", "0.9", "1.0")):
        out = tmp_path / f"{name}.xdf"
        assert dataset_script("m1_stevenson", archive, out, "--from", start, "--to", stop) == 0
        parts.append(Recording(str(out), "spikes", "velocity", speed=math.inf, chunk_s=10.0))
    fit, rest = parts
    file = open_recording(Path(rest.path))
    values = file.tracks[0].read(0, file.tracks[0].n_samples)
    file.close()
    drifting = Harmed(rest, Drift(0, len(values), 0.7, 1.5, 0.1, values.std(axis=0)))
    session, decoder = load_session(SESSIONS / "reach.toml"), Ridge(3, 0.3)
    scores = {}
    for name, stages in (("fixed", ()), ("normalised", (Zscore(10.0, 5.0),))):
        pipeline = replace(session.pipeline, stages=Chain(stages))
        model = calibrate(pipeline, decoder, [fit], ("vx", "vy"), scored=False)
        for device in (rest, drifting):
            result = evaluate(model, pipeline, decoder, [device], ("vx", "vy"))
            scores[name, device is drifting] = float(np.mean(result.metrics["r2"]))
    assert scores["fixed", True] < scores["fixed", False] - 0.15
    assert scores["normalised", True] > scores["normalised", False] - 0.1
    assert scores["normalised", True] > scores["fixed", True] + 0.1


def test_wishes_are_heard_without_a_cue(shared_data: Path) -> None:
    session = load_session(SESSIONS / "motor_imagery_free.toml")
    few = tuple(f"{row}{at}" for row in ("Fc", "C", "Cp") for at in ("3", "z", "4"))
    pipeline = replace(session.pipeline, hop_s=0.2, channels=few)  # a tenth of the time
    known = [run_of(shared_data, n) for n in (5, 6, 9)]
    model = calibrate(pipeline, session.decoder, known)
    assert model.metrics["uncued"]["shown"] <= model.metrics["uncued"]["stated"]
    held_out = run_of(shared_data, 10)
    metrics = evaluate(model, pipeline, session.decoder, [held_out]).metrics
    uncued = metrics["uncued"]
    assert uncued["wishes"] == 15
    assert uncued["answered"] >= 0.5
    assert uncued["ci95"][0] <= uncued["stated"]
    assert metrics["reliability"]["ece"] <= 0.2
