"""Slow shifts of the cortex, and a set in which nobody may find one."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci_server.config import Session, load_session, session_of
from bci_server.evaluation.evaluate import evaluate
from benchmarks.leaderboard.cells import described
from benchmarks.leaderboard.sets import SETS
from benchmarks.leaderboard.variants import VARIANTS, Variant
from decoders.calibrating.calibration import calibrate
from decoders.calibrating.cross_validation import cross_validate
from decoders.calibrating.training_rows import training_of
from decoders.decoder import Training
from decoders.gathering import gather
from devices.adapters.recording import Recording

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"

Converted = Callable[..., Recording]


@pytest.fixture
def converted(
    shared_data: Path, tmp_path: Path, dataset_script: Callable[..., int]
) -> Callable[..., Recording]:
    def recording(name: str, *part: str) -> Recording:
        source = shared_data / "bci_competition" / f"{name}_train.npz"
        if not source.exists():
            pytest.skip(f"no {source}")
        out = tmp_path / f"{name}{''.join(part)}.xdf"
        assert dataset_script("bci_competition", source, out, *part) == 0
        return Recording(str(out), speed=math.inf, chunk_s=1.0)

    return recording


def within(session: Session, recording: Recording, seed: int | None = None) -> dict[str, Any]:
    training = training_of([gather(recording, session.pipeline)], session.pipeline, session.decoder)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(training.targets))
        training = replace(training, targets=training.targets[order])
    return cross_validate(session.decoder, training)


def test_a_shift_by_will_is_seen_and_permuted_labels_are_not(converted: Converted) -> None:
    session = load_session(SESSIONS / "slow_potentials.toml")
    recording = converted("SelfRegulationSCP1")
    scores = within(session, recording)
    assert scores["n"] == 268
    assert scores["accuracy"] >= 0.86
    assert scores["auc"] >= 0.92
    assert within(session, recording, seed=0)["accuracy"] < 0.6


CONTROL = next(recorded for recorded in SETS if recorded.control)


@pytest.fixture(scope="module")
def nothing(
    shared_data: Path, dataset_script: Callable[..., int], tmp_path_factory: pytest.TempPathFactory
) -> Training:
    """Trials of a person in whom nobody has found anything."""
    source = shared_data / "bci_competition" / "SelfRegulationSCP2_train.npz"
    if not source.exists():
        pytest.skip(f"no {source}")
    out = tmp_path_factory.mktemp("nothing") / "scp2.xdf"
    assert dataset_script("bci_competition", source, out) == 0
    session = load_session(SESSIONS / "slow_potentials.toml")
    made = gather(Recording(str(out), speed=math.inf, chunk_s=1.0), session.pipeline)
    return training_of([made], session.pipeline, session.decoder)


@pytest.mark.parametrize("variant", VARIANTS[CONTROL.task], ids=lambda variant: variant.name)
def test_no_decoder_finds_anything_where_nothing_is(
    nothing: Training, variant: Variant, tmp_path: Path
) -> None:
    if variant.slow or variant.stages is not None:
        pytest.skip("takes minutes: the leaderboard, which is tested, has its score")
    decoder = session_of(described(CONTROL, variant), tmp_path).decoder
    scores = cross_validate(decoder, nothing)
    assert scores["n"] == 200
    assert scores["p_value"] > 0.01


def test_the_hand_is_told_before_it_moves(converted: Converted) -> None:
    session = load_session(SESSIONS / "fingers.toml")
    name = "BCI2_IV_fingers"
    fit, rest = converted(name, "--to", "0.7"), converted(name, "--from", "0.7")
    model = calibrate(session.pipeline, session.decoder, [fit])
    result = evaluate(model, session.pipeline, session.decoder, [rest])
    assert result.n_trials == 95
    assert result.metrics["accuracy"] > result.metrics["chance_p95"] + 0.1
    assert result.metrics["auc"] >= 0.9
    assert within(session, converted(name))["accuracy"] >= 0.84
