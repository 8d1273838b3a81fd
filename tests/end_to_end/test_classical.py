"""Classical decoders on real recordings, through the live path; docs/classical.md has more."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Controls, Evaluation, evaluate, evaluate_each
from decoders.calibrating.calibration import calibrate
from decoders.deciding.trials import Trials
from decoders.features.band_power import BandPower
from decoders.models.poisson import Poisson
from decoders.models.svm import Svm
from decoders.stage import Chain
from devices.adapters.recording import Recording

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"


def test_a_target_follows_from_the_first_counts_of_a_reach(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    archive = shared_data / "reach_shenoy" / "shenoy_reach_open.npz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    parts = []
    for name, option in (("fit", "--to"), ("rest", "--from")):
        path = tmp_path / f"{name}.xdf"
        assert dataset_script("reach_shenoy", archive, path, option, "0.8") == 0
        parts.append(Recording(str(path), stream="spikes", speed=math.inf, chunk_s=1.0))
    session = load_session(SESSIONS / "reach_directions.toml")
    trials = Trials({str(k): f"target {k}" for k in range(1, 9)}, 0.0, 0.28)
    pipeline = replace(session.pipeline, stages=Chain(()), trials=trials)
    model = calibrate(pipeline, Poisson(), parts[:1], scored=False)
    result, permuted = evaluate_each(
        model, pipeline, Poisson(), parts[1:], controls=[Controls(), Controls(permute_seed=0)]
    )
    assert result.n_trials == 128
    assert result.metrics["accuracy"] >= 0.92
    assert permuted.metrics["accuracy"] < 0.25


def test_fists_and_feet_are_told_apart_by_powers(shared_data: Path) -> None:
    runs = [shared_data / "eegmmi_s001" / f"S001R{n}.edf" for n in ("06", "10")]
    if not all(run.exists() for run in runs):
        pytest.skip(f"no {runs}")
    session = load_session(SESSIONS / "motor_imagery.toml")
    powers = BandPower({"mu": (8.0, 13.0), "beta": (13.0, 30.0)}, window_s=2.0)
    pipeline = replace(session.pipeline, stages=Chain((powers,)))
    there, back = (
        _scored(replace(session, pipeline=pipeline, decoder=Svm()), one, other)
        for one, other in (runs, runs[::-1])
    )
    assert (there.metrics["accuracy"] + back.metrics["accuracy"]) / 2 >= 0.8
    assert min(there.metrics["auc"], back.metrics["auc"]) >= 0.85


def _scored(session: Session, one: Path, other: Path) -> Evaluation:
    fit, rest = (Recording(str(path), speed=math.inf, chunk_s=1.0) for path in (one, other))
    model = calibrate(session.pipeline, session.decoder, [fit], scored=False)
    return evaluate(model, session.pipeline, session.decoder, [rest])
