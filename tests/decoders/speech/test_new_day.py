import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, LOADINGS
from decoders.speech.new_day import loadings, settled, spread_of_day

Floats = NDArray[np.float64]
F, K, N = 64, 6, 12_000
MIXED = np.random.default_rng(1).standard_normal((F, K)) * 0.35


def followed(seed: int) -> Floats:
    """Return (N, K) slow things that all features follow, each of a deviation of 1."""
    steps = np.random.default_rng(seed).standard_normal((N + 40, K))
    kernel = np.hanning(12)
    slow = np.apply_along_axis(np.convolve, 0, steps, kernel / np.linalg.norm(kernel), "valid")
    found: Floats = slow[:N]
    return found


def rows_of(mixed: Floats, seed: int) -> tuple[Floats, Floats]:
    """Return rows, most of each noise, and what they follow."""
    slow = followed(seed)
    noise = np.random.default_rng(seed + 100).standard_normal((N, F))
    return 5.0 + 2.0 * (slow @ mixed.T + noise), slow


def model(rows: Floats) -> Weights:
    """Return what a network of one day keeps of it."""
    mean, deviation = rows.mean(0), rows.std(0)
    inverse = np.divide(1.0, deviation, out=np.zeros(F), where=deviation > 0)
    return {
        "mean": mean[np.newaxis].astype(np.float32),
        "inverse": inverse[np.newaxis].astype(np.float32),
        "limit": np.array([10.0], np.float32),
        "days": np.array([0]),
        DAY_WEIGHT: np.eye(F, dtype=np.float32)[np.newaxis],
        DAY_BIAS: np.zeros((1, F), np.float32),
        LOADINGS: loadings((rows - mean) * inverse)[np.newaxis].astype(np.float32),
        "output": np.arange(3.0),
    }


def moved(weights: Weights, rows: Floats) -> Floats:
    """Return rows as they leave the day's map."""
    deviations = (rows - weights["mean"][-1]) * weights["inverse"][-1]
    found: Floats = deviations @ weights[DAY_WEIGHT][-1] + weights[DAY_BIAS][-1]
    return found


def read_as_before(weights: Weights, first: tuple[Floats, Floats], now: Floats) -> Floats:
    """Return what a reader that was fitted on the first day reads on another."""
    reader = np.linalg.lstsq(moved(model(first[0]), first[0]), first[1], rcond=None)[0]
    found: Floats = moved(weights, now) @ reader
    return found


def error(read: Floats, slow: Floats) -> float:
    """Return what of `slow` a reading leaves, after the scale that suits it best."""
    scale = (read * slow).sum() / (read**2).sum()
    return float(np.square(scale * read - slow).mean() / np.square(slow).mean())


FIRST = rows_of(MIXED, 1)
MODEL = model(FIRST[0])


def another_day() -> Floats:
    """Return the mixing of a day on which a quarter is lost, a quarter others, the rest turned."""
    rng = np.random.default_rng(7)
    later = MIXED + 0.1 * rng.standard_normal(MIXED.shape)
    later[::4] = 0.35 * rng.standard_normal(later[::4].shape)
    later[1::4] = 0.0
    return later


def test_another_day_is_read_nearly_as_well_as_its_features_allow() -> None:
    rows, slow = rows_of(another_day(), 2)
    rows *= np.random.default_rng(8).lognormal(0.0, 0.5, F)  # and all fire more, or less
    standard_only = {name: a for name, a in MODEL.items() if name != LOADINGS}
    as_it_is, spread, aligned = (
        error(read_as_before(weights, FIRST, rows), slow)
        for weights in (MODEL, settled(standard_only, {0: rows}), settled(MODEL, {0: rows}))
    )
    best = model(rows)
    reader = np.linalg.lstsq(moved(best, rows), slow, rcond=None)[0]
    least = error(moved(best, rows) @ reader, slow)
    assert as_it_is > spread + 0.02
    assert aligned < least + 0.4 * (spread - least)


def test_a_day_like_the_one_before_is_read_as_before() -> None:
    rows, slow = rows_of(MIXED, 3)
    was, now = (
        error(read_as_before(w, FIRST, rows), slow) for w in (MODEL, settled(MODEL, {0: rows}))
    )
    assert now < was + 0.01


@pytest.mark.parametrize("n", [1, 4, 60])
def test_what_is_too_short_to_tell_is_not_turned(n: int) -> None:
    rows, _ = rows_of(another_day(), 2)
    found = settled(MODEL, {0: rows[:n]})
    assert np.isfinite(found[DAY_WEIGHT]).all()
    if n < 8:
        assert np.allclose(found[DAY_WEIGHT][0], np.eye(F), atol=1e-5)


def test_a_model_that_does_not_know_its_loadings_gets_means_and_deviations() -> None:
    rows, _ = rows_of(another_day(), 2)
    found = settled({name: a for name, a in MODEL.items() if name != LOADINGS}, {0: rows})
    assert LOADINGS not in found
    assert np.array_equal(found[DAY_WEIGHT], MODEL[DAY_WEIGHT])
    assert np.allclose(found["mean"][0], rows.mean(0), atol=1e-4)


def test_each_session_gets_its_own_and_all_else_stays() -> None:
    one, other = rows_of(MIXED, 3)[0], rows_of(another_day(), 2)[0]
    found = settled(MODEL, {4: one, 9: other})
    assert found["days"].tolist() == [4, 9]
    assert found["output"] is MODEL["output"]
    alone = settled(MODEL, {9: other})
    for name in ("mean", "inverse", DAY_WEIGHT, DAY_BIAS, LOADINGS):
        assert np.array_equal(found[name][1], alone[name][0])
        assert found[name].dtype == np.float32


def test_a_silent_unit_keeps_its_deviation_and_a_rare_one_does_not_shout() -> None:
    rows = FIRST[0].copy()
    rows[:, 0] = 3.0
    rows[:, 1] = 5.0 + 0.01 * (rows[:, 1] - 5.0)
    mean, inverse = spread_of_day(MODEL, rows)
    before = 1.0 / MODEL["inverse"][0].astype(float)
    assert mean[0] == 3.0
    assert np.isclose(inverse[0], 1.0 / before[0])
    assert np.isclose(inverse[1], 1.0 / (0.3 * before[1]))


def test_what_never_varied_before_stays_out() -> None:
    weights = {**MODEL, "inverse": MODEL["inverse"].copy()}
    weights["inverse"][0, 5] = 0.0
    found = settled(weights, {0: FIRST[0]})
    assert found["inverse"][0, 5] == 0.0
    assert np.isfinite(found[DAY_WEIGHT]).all()


def test_means_of_older_models_are_of_all_sessions() -> None:
    older = {**MODEL, "mean": MODEL["mean"][0], "inverse": MODEL["inverse"][0]}
    rows, _ = rows_of(another_day(), 2)
    for name, array in settled(older, {0: rows}).items():
        assert np.array_equal(array, settled(MODEL, {0: rows})[name])
