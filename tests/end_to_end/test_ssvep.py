"""Flickers that people look at, told apart on recordings of real brains through the live path."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from bci_server.config import Session, load_session
from bci_server.evaluation.evaluate import Controls, Evaluation, evaluate, evaluate_each
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from devices.adapters.recording import Recording

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"
SETS = {
    "3": ("subject03_2012.07.11-15.25.23_raw.fif", "subject03_2012.07.11-15.33.08_raw.fif"),
    "4": ("subject04_2012.07.18-17.52.30_raw.fif", "subject04_2012.07.18-17.56.53_raw.fif"),
}


@pytest.fixture(scope="module")
def ssvep() -> Session:
    return load_session(SESSIONS / "ssvep.toml")


@pytest.fixture(scope="module")
def recording_of(shared_data: Path) -> Callable[..., Recording]:
    def recording(person: str, number: int, chunk_s: float = 1.0) -> Recording:
        path = shared_data / "ssvep_exo" / f"subject0{person}" / SETS[person][number]
        if not path.exists():
            pytest.skip(f"no {path}")
        # The file says volts, which would be 10 mV of brain; microvolts are no truer, but quiet.
        return Recording(str(path), unit="nV", speed=math.inf, chunk_s=chunk_s)

    return recording


@pytest.fixture(scope="module")
def models(
    ssvep: Session, recording_of: Callable[..., Recording]
) -> dict[tuple[str, int], Artifact]:
    return {
        (person, number): calibrate(ssvep.pipeline, ssvep.decoder, [recording_of(person, number)])
        for person in SETS
        for number in (0, 1)
    }


def test_within_a_session(models: dict[tuple[str, int], Artifact]) -> None:
    accuracies = [model.metrics["accuracy"] for model in models.values()]
    assert sum(accuracies) / len(accuracies) >= 0.93
    assert all(model.metrics["n"] == 32 for model in models.values())
    assert all(model.metrics["p_value"] < 1e-6 for model in models.values())


@pytest.fixture(scope="module")
def of_the_other(
    ssvep: Session,
    models: dict[tuple[str, int], Artifact],
    recording_of: Callable[..., Recording],
) -> dict[tuple[str, int], list[Evaluation]]:
    """What each model says of the person's other session, by its labels and by permuted ones."""
    controls = [Controls(), *(Controls(permute_seed=seed) for seed in range(3))]
    return {
        (person, number): evaluate_each(
            model,
            ssvep.pipeline,
            ssvep.decoder,
            [recording_of(person, 1 - number)],
            controls=controls,
        )
        for (person, number), model in models.items()
    }


def test_from_one_session_to_the_other(
    of_the_other: dict[tuple[str, int], list[Evaluation]],
) -> None:
    results = [each[0] for each in of_the_other.values()]
    assert sum(result.metrics["accuracy"] for result in results) / 4 >= 0.87
    for result in results:
        assert result.n_trials == 32
        assert result.metrics["labels"] == ["rest", "13 Hz", "17 Hz", "21 Hz"]
        assert result.metrics["cue_to_decision_s"] == pytest.approx(5.1, abs=0.11)


def test_permuted_labels_score_chance(
    of_the_other: dict[tuple[str, int], list[Evaluation]],
) -> None:
    accuracies = [result.metrics["accuracy"] for result in of_the_other["3", 0][1:]]
    assert sum(accuracies) / 3 < 0.4  # chance 0.25; its 95th percentile over 96 trials is 0.32


def test_how_samples_arrive_changes_no_bit(
    ssvep: Session,
    models: dict[tuple[str, int], Artifact],
    recording_of: Callable[..., Recording],
    of_the_other: dict[tuple[str, int], list[Evaluation]],
) -> None:
    cut = recording_of("4", 1, 0.037)
    result = evaluate(models["4", 0], ssvep.pipeline, ssvep.decoder, [cut])
    assert result.outputs_sha256 == of_the_other["4", 0][0].outputs_sha256


def test_two_flickers_from_one_electrode_of_a_headband(shared_data: Path) -> None:
    folder = shared_data / "muse_eegnb" / "SSVEP" / "subject1" / "session1"
    runs = sorted(folder.glob("*.csv.gz"))
    if len(runs) < 2:
        pytest.skip(f"no runs in {folder}")
    session = load_session(SESSIONS / "ssvep_headband.toml")
    devices = [Recording(str(run), stream="aux", speed=math.inf, chunk_s=1.0) for run in runs]
    model = calibrate(session.pipeline, session.decoder, devices[:1], scored=False)
    result = evaluate(model, session.pipeline, session.decoder, devices[1:])
    assert result.n_trials >= 90
    assert result.metrics["accuracy"] >= 0.95
