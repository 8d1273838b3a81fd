"""Codes that people look at, told apart on a recording of a real brain, early and surely."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Evaluation, evaluate
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.calibrating.cross_validation import cross_validate
from decoders.calibrating.training_rows import training_of
from decoders.gathering import gather
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cvep() -> Session:
    return load_session(ROOT / "examples" / "sessions" / "cvep.toml")


@pytest.fixture(scope="module")
def parts(
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    dataset_script: Callable[..., int],
) -> Callable[..., Recording]:
    source = shared_data / "cvep" / "cvep_24trials.npz"
    if not source.exists():
        pytest.skip(f"no {source}")
    folder = tmp_path_factory.mktemp("cvep")
    assert dataset_script("cvep", source, folder / "fit.xdf", "--to", "0.75") == 0
    assert dataset_script("cvep", source, folder / "rest.xdf", "--from", "0.75") == 0
    return lambda name, chunk_s=1.0: Recording(
        str(folder / f"{name}.xdf"), speed=math.inf, chunk_s=chunk_s
    )


@pytest.fixture(scope="module")
def model(cvep: Session, parts: Callable[..., Recording]) -> Artifact:
    return calibrate(cvep.pipeline, cvep.decoder, [parts("fit")])


def over(session: Session, model: Artifact, recording: Recording, **trials: float) -> Evaluation:
    assert session.pipeline.trials is not None
    pipeline = replace(session.pipeline, trials=replace(session.pipeline.trials, **trials))
    return evaluate(model, pipeline, session.decoder, [recording])


def test_one_of_32_codes_is_found_sooner_than_the_trial_ends(
    cvep: Session, model: Artifact, parts: Callable[..., Recording]
) -> None:
    result = over(cvep, model, parts("rest"))
    assert result.n_trials == 6
    assert result.metrics["accuracy"] == 1.0
    assert result.metrics["mean_decision_s"] <= 2.5
    assert model.metrics["stopping"]["accuracy"] >= 0.94
    assert model.metrics["stopping"]["mean_s"] <= 2.5


def test_in_half_the_time_it_is_found_as_well(
    cvep: Session, model: Artifact, parts: Callable[..., Recording]
) -> None:
    result = over(cvep, model, parts("rest"), end_s=2.092, stop_error=0.0)
    assert result.metrics["accuracy"] >= 5 / 6
    assert result.metrics["cue_to_decision_s"] == pytest.approx(2.1, abs=0.01)


def test_how_samples_arrive_changes_no_bit(
    cvep: Session, model: Artifact, parts: Callable[..., Recording]
) -> None:
    hashes = {over(cvep, model, parts("rest", c)).outputs_sha256 for c in (1.0, 0.013)}
    assert len(hashes) == 1


def test_permuted_labels_score_chance(cvep: Session, parts: Callable[..., Recording]) -> None:
    gathered = gather(parts("fit"), cvep.pipeline)
    training = training_of([gathered], cvep.pipeline, cvep.decoder)
    n_rows = len(training.targets) // 18
    order = np.random.default_rng(0).permutation(18)
    permuted = replace(training, targets=training.targets[::n_rows][order].repeat(n_rows))
    assert cross_validate(cvep.decoder, permuted, evidence="newest")["accuracy"] <= 0.25
