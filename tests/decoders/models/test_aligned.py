"""Alignment of sessions: what each way undoes, and that few trials are enough."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.alignment.stable_latents import factors
from decoders.calibrating.calibration import calibrate
from decoders.deciding.trials import Trials
from decoders.decoder import Moment, OfSessions, Training, Tunable
from decoders.features.log_power import LogPower
from decoders.models.aligned import Aligned
from decoders.models.lda import Lda
from decoders.models.logistic import Logistic
from decoders.models.ridge import Ridge
from decoders.models.tangent_space import TangentSpace
from decoders.output import Command, Prediction
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Signal
from tests.contract.trainings import triangle_training
from tests.decoders.made import cued, followed

N_UNITS = 30
SIDES = Trials({"L": "left", "R": "right"}, 0.5, 2.5)


def movement(
    n: int, seed: int, tuning: NDArray[np.float64], noise: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rows of units that see a velocity, and the velocity."""
    rng = np.random.default_rng(seed)
    window = np.hanning(31)
    wander = rng.standard_normal((4, n + 30))
    latent = np.stack([np.convolve(w, window, "valid") for w in wander], axis=1) / 3
    rows = latent @ tuning + noise * rng.standard_normal((n, tuning.shape[1]))
    return rows, latent[:, :2]


def training(rows: NDArray[np.float64], velocity: NDArray[np.float64]) -> Training:
    signal = Signal(20.0, tuple(f"u{i}" for i in range(rows.shape[1])), "count")
    return Training(signal, rows, velocity, np.zeros(len(rows), int), ("vx", "vy"), "m/s")


TUNING = np.random.default_rng(0).standard_normal((4, N_UNITS))
DAY_1 = training(*movement(1500, 1, TUNING))


def decoded(recipe: Aligned, weights, day: Training) -> NDArray[np.float64]:
    decoding = recipe.start(day.signal, day.labels, day.unit, weights)
    said = [
        output.values
        for i, row in enumerate(day.features)
        for output in decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(i, 0.0))
        if isinstance(output, Command)
    ]
    return np.array(said)


def r2(recipe: Aligned, weights, day: Training) -> float:
    said = decoded(recipe, weights, day)
    left = ((day.targets - said) ** 2).sum(axis=0)
    return float(np.mean(1 - left / ((day.targets - day.targets.mean(axis=0)) ** 2).sum(axis=0)))


def drifted(by: str) -> Training:
    """Another day: gains and offsets; or units that are tuned anew, or are others altogether."""
    rng = np.random.default_rng(7)
    if by == "zscore":
        rows, velocity = movement(1500, 2, TUNING)
        gains, offsets = rng.uniform(0.3, 3.0, N_UNITS), rng.uniform(-9, 9, N_UNITS)
        return training(rows * gains + offsets, velocity)
    if by == "procrustes":
        tuning = TUNING.copy()
        tuning[:, :10] = rng.standard_normal((4, 10)) * 2
        rows, velocity = movement(1500, 2, tuning)
        return training(rows + 5, velocity)
    rows, velocity = movement(1500, 2, rng.standard_normal((4, 25)))
    return training(rows, velocity)


@pytest.mark.parametrize("by", ["zscore", "procrustes", "cca"])
def test_tuned_to_a_few_seconds_of_another_day_it_decodes_the_rest(by):
    recipe = Aligned(Ridge(1, 0.01), by, 4)
    assert isinstance(recipe, Tunable)
    day_2 = drifted(by)
    few = day_2.part(np.arange(1500) < 400)
    rest = day_2.part(np.arange(1500) >= 400)
    weights = recipe.fit(DAY_1)
    assert r2(recipe, weights, DAY_1) > 0.8
    if by != "cca":  # which has other channels, so that the old map does not even fit
        assert r2(recipe, weights, rest) < 0.5
    assert r2(recipe, recipe.tune(few, weights), rest) > 0.7


def test_covariances_of_another_day_are_recentred():
    recipe = Aligned(TangentSpace(), "recentre")
    day_1 = triangle_training()
    rows, columns = np.triu_indices(4)
    full = np.empty((len(day_1.features), 4, 4))
    full[:, rows, columns] = full[:, columns, rows] = day_1.features
    gains = np.diag([0.1, 3.0, 1.0, 0.4])
    day_2 = replace(day_1, features=(gains @ full @ gains)[:, rows, columns])
    weights = recipe.fit(day_1)
    plain, tuned = weights, recipe.tune(day_2, weights)

    def right(w) -> float:
        decoding = recipe.start(day_2.signal, day_2.labels, "", w)
        said = [
            output.probabilities[1] > 0.5
            for row in day_2.features
            for output in decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
            if isinstance(output, Prediction)
        ]
        return float(np.mean(said == day_2.targets))

    assert right(tuned) > 0.95
    assert right(plain) < 0.8


def test_many_sessions_are_fitted_together_each_by_its_own_map():
    day_2 = drifted("zscore")
    both = replace(
        DAY_1,
        features=np.concatenate([DAY_1.features, day_2.features]),
        targets=np.concatenate([DAY_1.targets, day_2.targets]),
        groups=np.repeat([0, 1], 1500),
        sessions=np.repeat([0, 1], 1500),
    )
    recipe = Aligned(Ridge(1, 0.01), "zscore")
    weights = recipe.fit(both)
    assert isinstance(recipe, OfSessions)
    assert r2(recipe, weights, day_2) > 0.7  # the last session's map is in use
    assert r2(recipe, recipe.of_session(weights, 0), DAY_1) > 0.7
    assert r2(recipe, weights, DAY_1) < 0.5


def test_cross_validation_decodes_each_session_by_its_own_map():
    drift = np.random.default_rng(1).uniform(2, 30, 8)
    other = replace(followed(), values=followed().values * drift + 40)
    recipe = Aligned(Ridge(1, 0.01), "zscore")
    model = calibrate(Pipeline(0.05), recipe, [followed(), other], sessions=(0, 1))
    assert min(model.metrics["r2"]) > 0.6
    mixed = calibrate(Pipeline(0.05), recipe, [followed(), other])
    assert max(mixed.metrics["r2"]) < min(model.metrics["r2"]) - 0.1


def test_a_model_is_tuned_by_calibration_and_says_from_which():
    recipe = Aligned(Ridge(1, 0.01), "zscore")
    parent = calibrate(Pipeline(0.05), recipe, [followed()])
    drift = np.random.default_rng(1).uniform(2, 30, 8)
    other = replace(followed(500), values=followed(500).values * drift)
    model = calibrate(Pipeline(0.05), recipe, [other], parent=parent)
    assert model.parent == parent.hash
    assert model.hash != parent.hash
    assert min(model.metrics["r2"]) > 0.4
    same = [k for k in parent.weights if k.startswith("decoder.")]
    assert all((model.weights[k] == parent.weights[k]).all() for k in same)


def test_a_decoder_that_cannot_be_tuned_says_so():
    parent = calibrate(Pipeline(0.05), Ridge(2, 0.01), [followed()])
    with pytest.raises(Mismatch, match="history"):
        calibrate(Pipeline(0.05), Ridge(1, 0.01), [followed()], parent=parent)
    assert not isinstance(Lda(), Tunable)


def test_the_factors_are_those_of_scikit_learn():
    from sklearn.decomposition import FactorAnalysis

    rows = DAY_1.features - DAY_1.features.mean(axis=0)
    rows /= rows.std(axis=0)
    loadings, noise = factors(rows, 4)
    library = FactorAnalysis(4, tol=1e-8, max_iter=5000, svd_method="lapack").fit(rows)
    expected = library.components_.T @ library.components_ + np.diag(library.noise_variance_)
    assert loadings @ loadings.T + np.diag(noise) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        (Aligned(Ridge(1, 0.01), "procrustes", 30), "30 factors cannot be had from 30"),
        (Aligned(Ridge(1, 0.01), "cca", 31), "31 factors cannot be had from 30"),
    ],
)
def test_more_factors_than_features_are_refused(recipe, why):
    with pytest.raises(Mismatch, match=why):
        recipe.fit(DAY_1)


def test_other_channels_are_refused_where_channels_must_agree():
    recipe = Aligned(Ridge(1, 0.01), "procrustes", 4)
    with pytest.raises(Mismatch, match="25 features cannot be aligned with 30"):
        recipe.tune(drifted("cca"), recipe.fit(DAY_1))


def test_too_few_conditions_in_common_are_said():
    recipe = Aligned(Ridge(1, 0.01), "cca", 4)
    with pytest.raises(Mismatch, match="conditions in common"):
        recipe.tune(DAY_1.part(np.arange(1500) < 3), recipe.fit(DAY_1))


def test_fewer_trials_than_a_score_needs_still_tune():
    pipeline = Pipeline(0.1, stages=Chain((LogPower(0.5),)), trials=SIDES)
    recipe = Aligned(Logistic(), "zscore")
    parent = calibrate(pipeline, recipe, [cued()])
    few = cued(2, 5)
    with pytest.raises(Mismatch, match="at least 3"):
        calibrate(pipeline, recipe, [few])
    model = calibrate(pipeline, recipe, [few], parent=parent)
    assert model.metrics == {}
    assert model.parent == parent.hash
