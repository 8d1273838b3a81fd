"""Flashes that people wait for, told from others on recordings of real brains."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Controls, Evaluation, evaluate, evaluate_each
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from devices.adapters.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def p300() -> Session:
    return load_session(ROOT / "examples" / "sessions" / "p300.toml")


@pytest.fixture(scope="module")
def headband(shared_data: Path) -> Callable[..., list[Recording]]:
    def runs(session: int, chunk_s: float = 1.0) -> list[Recording]:
        folder = shared_data / "muse_eegnb" / "P300" / "subject1" / f"session{session}"
        files = sorted(folder.glob("*.csv.gz"))
        if not files:
            pytest.skip(f"no runs in {folder}")
        return [Recording(str(f), stream="eeg", speed=math.inf, chunk_s=chunk_s) for f in files]

    return runs


@pytest.fixture(scope="module")
def first_session(p300: Session, headband: Callable[..., list[Recording]]) -> Artifact:
    return calibrate(p300.pipeline, p300.decoder, headband(1))


@pytest.fixture(scope="module")
def days_later(
    p300: Session, headband: Callable[..., list[Recording]], first_session: Artifact
) -> list[Evaluation]:
    """What the first session's model says of the second, scored by its labels and by permuted."""
    permuted = [Controls(permute_seed=seed) for seed in range(3)]
    return evaluate_each(
        first_session, p300.pipeline, p300.decoder, headband(2), controls=[Controls(), *permuted]
    )


def test_a_headband_tells_targets_days_later(
    first_session: Artifact, days_later: list[Evaluation]
) -> None:
    assert first_session.metrics["auc"] >= 0.74
    result = days_later[0]
    assert result.n_trials >= 960
    assert result.metrics["auc"] >= 0.70
    assert result.metrics["auc_ci95"][0] > 0.6
    assert result.metrics["cue_to_decision_s"] == pytest.approx(0.8, abs=0.03)


def test_permuted_labels_score_chance(days_later: list[Evaluation]) -> None:
    aucs = [result.metrics["auc"] for result in days_later[1:]]
    assert 0.4 < sum(aucs) / 3 < 0.6


def test_how_samples_arrive_changes_no_bit(
    p300: Session, headband: Callable[..., list[Recording]], first_session: Artifact
) -> None:
    hashes = {
        evaluate(
            first_session, p300.pipeline, p300.decoder, headband(2, chunk_s)[:1]
        ).outputs_sha256
        for chunk_s in (1.0, 0.011)
    }
    assert len(hashes) == 1


def test_a_character_is_spelled_as_soon_as_it_is_sure(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> None:
    source = shared_data / "bci2000" / "eeg3_1.dat"
    if not source.exists():
        pytest.skip(f"no {source}")
    session = load_session(ROOT / "examples" / "sessions" / "p300_speller.toml")
    assert dataset_script("bci2000", source, tmp_path / "fit.xdf", "--to", "0.7451") == 0
    assert dataset_script("bci2000", source, tmp_path / "rest.xdf", "--from", "0.7451") == 0
    fit, rest = (
        Recording(str(tmp_path / f"{name}.xdf"), speed=math.inf, chunk_s=1.0)
        for name in ("fit", "rest")
    )
    model = calibrate(session.pipeline, session.decoder, [fit])
    assert model.metrics["auc"] >= 0.87
    spelled = evaluate(model, session.pipeline, session.decoder, [rest]).metrics["spelled"]
    assert spelled["text"] == spelled["wanted"] == ["F"]
    assert spelled["mean_flashes"] <= 90  # of 180


@pytest.mark.parametrize(
    ("script", "source", "least", "n"),
    [
        ("openbmi", "openbmi/cnt_p300_off.mat", 0.95, 1980),
        ("bci2000", "bci2000/eeg3_1.dat", 0.85, 720),
    ],
)
def test_converted_sets(
    script: str,
    source: str,
    least: float,
    n: int,
    p300: Session,
    shared_data: Path,
    tmp_path: Path,
    dataset_script: Callable[..., int],
) -> None:
    if not (shared_data / source).exists():
        pytest.skip(f"no {shared_data / source}")
    assert dataset_script(script, shared_data / source, tmp_path / "whole.xdf") == 0
    device = Recording(str(tmp_path / "whole.xdf"), speed=math.inf, chunk_s=1.0)
    model = calibrate(p300.pipeline, p300.decoder, [device])
    assert model.metrics["n"] == n
    assert model.metrics["auc"] >= least
