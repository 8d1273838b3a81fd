"""What the decoders reach on recordings of real brains, through the live path."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Controls, Evaluation, evaluate_each
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.features.smooth import Smooth
from decoders.models.csp import Csp
from decoders.models.kalman import Kalman
from decoders.models.mdm import Mdm
from decoders.models.ridge import Ridge
from decoders.stage import Chain
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


def over_each(
    session: Session, artifact: Artifact, recording: Recording, *controls: Controls
) -> list[Evaluation]:
    target = session.target.channels if session.target else ()
    return evaluate_each(
        artifact, session.pipeline, session.decoder, [recording], target, controls=controls
    )


def over(session: Session, artifact: Artifact, recording: Recording) -> Evaluation:
    return over_each(session, artifact, recording, Controls())[0]


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
            models[number] = calibrate(
                imagery.pipeline, imagery.decoder, [run_of(number)], scored=False
            )
        return models[number]

    return model


@pytest.fixture(scope="module")
def held_out(imagery: Session, run_of: Any, fitted: Any) -> list[Evaluation]:
    """What the model of run 6 says of run 10, scored by its labels and by permuted ones."""
    permuted = [Controls(permute_seed=seed) for seed in range(4)]
    return over_each(imagery, fitted(6), run_of(10), Controls(), *permuted)


def test_fists_and_feet_are_told_apart_where_they_are_imagined(
    imagery: Session, run_of: Any, fitted: Any, held_out: list[Evaluation]
) -> None:
    told_apart(held_out[0], over(imagery, fitted(10), run_of(6)), 0.87)


def test_fists_and_feet_are_told_apart_where_they_are_moved(
    imagery: Session, run_of: Any, fitted: Any
) -> None:
    there = over(imagery, fitted(5), run_of(9))
    told_apart(there, over(imagery, fitted(9), run_of(5)), 0.93)


def told_apart(there: Evaluation, back: Evaluation, least: float) -> None:
    assert there.n_trials == back.n_trials == 15
    assert (there.metrics["accuracy"] + back.metrics["accuracy"]) / 2 >= least
    for result in (there, back):
        assert result.metrics["p_value"] < 0.005
        assert result.metrics["auc"] >= 0.95
        assert result.metrics["cue_to_decision_s"] == pytest.approx(4.1, abs=0.11)


def test_permuted_labels_score_chance(held_out: list[Evaluation]) -> None:
    mean = sum(result.metrics["accuracy"] for result in held_out[1:]) / 4
    assert 0.3 <= mean <= 0.7


def test_fitting_twice_gives_one_model(imagery: Session, run_of: Any, fitted: Any) -> None:
    recording = run_of(6, chunk_s=0.05)
    again = calibrate(imagery.pipeline, imagery.decoder, [recording], scored=False)
    assert again.hash == fitted(6).hash


@pytest.mark.parametrize("chunk_s", [1 / 160, 0.037, 0.5])
def test_chunks_of_any_size_give_the_same_outputs_to_the_bit(
    chunk_s: float, imagery: Session, run_of: Any, fitted: Any, held_out: list[Evaluation]
) -> None:
    cut = over(imagery, fitted(6), run_of(10, chunk_s))
    assert cut.outputs_sha256 == held_out[0].outputs_sha256


def test_a_decoder_without_a_setting_comes_close(imagery: Session, run_of: Any) -> None:
    plain = replace(imagery, decoder=Mdm())
    model = calibrate(plain.pipeline, plain.decoder, [run_of(6)], scored=False)
    assert over(plain, model, run_of(10)).metrics["accuracy"] >= 0.87


def test_spatial_patterns_do_it_as_well(imagery: Session, run_of: Any) -> None:
    filtered = replace(imagery, decoder=Csp())
    model = calibrate(filtered.pipeline, filtered.decoder, [run_of(6)], scored=False)
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
    model = calibrate(reach.pipeline, reach.decoder, [fit], ("vx", "vy"), scored=False)
    result, shifted = over_each(reach, model, rest, Controls(), Controls(shift_s=50.0))
    vx, vy = result.metrics["r2"]
    assert vx >= 0.78
    assert vy >= 0.70
    assert max(shifted.metrics["r2"]) <= 0.05


def test_a_kalman_filter_does_it_with_what_it_has_seen_last(
    reach: Session, spikes: tuple[Recording, Recording]
) -> None:
    fit, rest = spikes
    pipeline = replace(reach.pipeline, stages=Chain((Smooth(0.1),)))
    session = replace(reach, pipeline=pipeline, decoder=Kalman(lag=1))
    model = calibrate(session.pipeline, session.decoder, [fit], ("vx", "vy"), scored=False)
    vx, vy = over(session, model, rest).metrics["r2"]
    assert vx >= 0.70
    assert vy >= 0.53
