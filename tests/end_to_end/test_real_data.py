"""What the decoders reach on recordings of real brains, through the live path."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluate import Controls, Evaluation, evaluate
from decoders.artifact import Artifact
from decoders.calibration import calibrate
from decoders.features.smooth import Smooth
from decoders.models.csp import Csp
from decoders.models.kalman import Kalman
from decoders.models.mdm import Mdm
from decoders.models.ridge import Ridge
from decoders.stage import Chain
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


def over(
    session: Session, artifact: Artifact, recording: Recording, controls: Controls | None = None
) -> Evaluation:
    target = session.target.channels if session.target else ()
    return evaluate(
        artifact, session.pipeline, session.decoder, [recording], target, controls=controls
    )


@pytest.fixture(scope="module")
def imagery() -> Session:
    return load_session(ROOT / "examples" / "sessions" / "motor_imagery.toml")


@pytest.fixture(scope="module")
def run_of(shared_data: Path) -> Callable[..., Recording]:
    def recording(number: int, chunk_s: float = 1.0) -> Recording:
        path = shared_data / "eegmmi_s001" / f"S001R{number:02d}.edf"
        if not path.exists():
            pytest.skip(f"no {path}")
        return Recording(str(path), speed=math.inf, chunk_s=chunk_s)

    return recording


@pytest.fixture(scope="module")
def fitted(imagery: Session, run_of: Callable[..., Recording]) -> Callable[[int], Artifact]:
    models: dict[int, Artifact] = {}

    def model(number: int) -> Artifact:
        if number not in models:
            models[number] = calibrate(imagery.pipeline, imagery.decoder, [run_of(number)])
        return models[number]

    return model


@pytest.mark.parametrize(
    ("one", "other", "least"), [(6, 10, 0.87), (5, 9, 0.93)], ids=["imagined", "executed"]
)
def test_fists_and_feet_are_told_apart_trial_by_trial(
    one: int, other: int, least: float, imagery: Session, run_of: Any, fitted: Any
) -> None:
    there = over(imagery, fitted(one), run_of(other))
    back = over(imagery, fitted(other), run_of(one))
    assert there.n_trials == back.n_trials == 15
    assert (there.metrics["accuracy"] + back.metrics["accuracy"]) / 2 >= least
    for result in (there, back):
        assert result.metrics["p_value"] < 0.005
        assert result.metrics["auc"] >= 0.95
        assert result.metrics["cue_to_decision_s"] == pytest.approx(4.1, abs=0.11)


def test_permuted_labels_score_chance(imagery: Session, run_of: Any, fitted: Any) -> None:
    scores = [
        over(imagery, fitted(6), run_of(10), Controls(permute_seed=seed)).metrics
        for seed in range(4)
    ]
    mean = sum(score["accuracy"] for score in scores) / len(scores)
    assert 0.3 <= mean <= 0.7


def test_fitting_twice_gives_one_model(imagery: Session, run_of: Any, fitted: Any) -> None:
    again = calibrate(imagery.pipeline, imagery.decoder, [run_of(6, chunk_s=0.05)])
    assert again.hash == fitted(6).hash


@pytest.mark.parametrize("chunk_s", [1 / 160, 0.037, 0.5])
def test_chunks_of_any_size_give_the_same_outputs_to_the_bit(
    chunk_s: float, imagery: Session, run_of: Any, fitted: Any
) -> None:
    whole = over(imagery, fitted(6), run_of(10))
    assert over(imagery, fitted(6), run_of(10, chunk_s)).outputs_sha256 == whole.outputs_sha256


def test_a_decoder_without_a_setting_comes_close(imagery: Session, run_of: Any) -> None:
    plain = replace(imagery, decoder=Mdm())
    model = calibrate(plain.pipeline, plain.decoder, [run_of(6)])
    assert over(plain, model, run_of(10)).metrics["accuracy"] >= 0.87


def test_spatial_patterns_do_it_as_well(imagery: Session, run_of: Any) -> None:
    filtered = replace(imagery, decoder=Csp())
    model = calibrate(filtered.pipeline, filtered.decoder, [run_of(6)])
    assert over(filtered, model, run_of(10)).metrics["accuracy"] >= 0.87


@pytest.fixture(scope="module")
def reach() -> Session:
    session = load_session(ROOT / "examples" / "sessions" / "reach.toml")
    # One penalty of the session's three: the choice among them takes a minute.
    assert isinstance(session.decoder, Ridge)
    return replace(session, decoder=replace(session.decoder, alpha=0.3))


@pytest.fixture(scope="module")
def spikes(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory, dataset_script: Callable[..., int]
) -> tuple[Recording, Recording]:
    archive = shared_data / "m1_stevenson" / "stevenson_first70.npz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    folder = tmp_path_factory.mktemp("m1_stevenson")
    assert dataset_script("m1_stevenson", archive, folder / "fit.xdf", "--to", "0.8") == 0
    assert dataset_script("m1_stevenson", archive, folder / "rest.xdf", "--from", "0.8") == 0
    fit, rest = (
        Recording(
            str(folder / name), stream="spikes", truth="velocity", speed=math.inf, chunk_s=10.0
        )
        for name in ("fit.xdf", "rest.xdf")
    )
    return fit, rest


def test_the_hand_s_velocity_follows_from_spikes(
    reach: Session, spikes: tuple[Recording, Recording]
) -> None:
    fit, rest = spikes
    model = calibrate(reach.pipeline, reach.decoder, [fit], ("vx", "vy"))
    result = over(reach, model, rest)
    vx, vy = result.metrics["r2"]
    assert vx >= 0.78
    assert vy >= 0.70
    shifted = over(reach, model, rest, Controls(shift_s=50.0))
    assert max(shifted.metrics["r2"]) <= 0.05
    assert shifted.outputs_sha256 == result.outputs_sha256


def test_a_kalman_filter_does_it_with_what_it_has_seen_last(
    reach: Session, spikes: tuple[Recording, Recording]
) -> None:
    fit, rest = spikes
    pipeline = replace(reach.pipeline, stages=Chain((Smooth(0.1),)))
    session = replace(reach, pipeline=pipeline, decoder=Kalman(lag=1))
    model = calibrate(session.pipeline, session.decoder, [fit], ("vx", "vy"))
    vx, vy = over(session, model, rest).metrics["r2"]
    assert vx >= 0.70
    assert vy >= 0.53
