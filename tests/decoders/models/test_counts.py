"""Decoders of spike counts: naive Bayes, the point-process filter and Bayes' rule on a grid."""

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.deciding.trials import decide
from decoders.decoder import Decoder, Moment, Training
from decoders.models.grid_bayes import GridBayes
from decoders.models.point_process import PointProcess
from decoders.models.poisson import Poisson
from decoders.output import Command, Prediction
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

SIGNAL = Signal(20.0, tuple(f"u{i}" for i in range(8)), "count")


def said(recipe: Decoder, fit: Training, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    decoding = recipe.start(SIGNAL, fit.labels, fit.unit, recipe.fit(fit))
    rows = []
    for row in counts:
        (output,) = decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
        rows.append(output.probabilities if isinstance(output, Prediction) else output.values)
    return np.array(rows)


def fired(rates: NDArray[np.float64], n: int, seed: int = 0) -> Training:
    targets = np.arange(n) % len(rates)
    counts = np.random.default_rng(seed).poisson(rates[targets]).astype(np.float64)
    labels = tuple(f"target {k}" for k in range(len(rates)))
    return Training(SIGNAL, counts, targets, np.arange(n), labels)


def walked(seed: int, n: int = 2000) -> Training:
    """Units with one place each, and someone who walks slowly from 0 to 10."""
    rng = np.random.default_rng(seed)
    place = 5 + 5 * np.sin(np.cumsum(rng.uniform(0, 0.06, n)) + rng.uniform(0, 6))
    rates = 0.05 + 2 * np.exp(-0.5 * ((place[:, np.newaxis] - np.linspace(0, 10, 8)) / 1.2) ** 2)
    counts = rng.poisson(rates).astype(np.float64)
    return Training(SIGNAL, counts, place[:, np.newaxis], np.zeros(n, int), ("x",), "m")


def r2(truth: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    return float(1 - ((truth - values) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def test_a_unit_that_was_silent_for_a_class_does_not_rule_it_out() -> None:
    rates = np.full((2, 8), 2.0)
    rates[0, 0], rates[0, 1:4] = 0.0, 6.0
    training = fired(rates, 60)
    like_the_first = np.array([[1.0, 6, 6, 6, 2, 2, 2, 2]])
    assert said(Poisson(), training, like_the_first)[0, 0] > 0.9


def test_a_unit_that_never_fired_says_nothing() -> None:
    rates = np.random.default_rng(1).uniform(1, 4, (3, 8))
    rates[:, 5] = 0.0
    training = fired(rates, 60)
    one, other = np.full((2, 1, 8), 2.0)
    other[0, 5] = 40.0
    assert (said(Poisson(), training, one) == said(Poisson(), training, other)).all()


def test_blocks_of_a_trial_add_up_to_what_all_its_counts_say() -> None:
    training = fired(np.random.default_rng(2).uniform(0.5, 3, (4, 8)), 80)
    rows = training.features[:6]
    by_blocks = decide(said(Poisson(), training, rows).tolist())
    weights = Poisson().fit(training)
    at_once = np.asarray(weights["coef"]) @ rows.sum(axis=0) + 6 * np.asarray(weights["intercept"])
    assert by_blocks == int(at_once.argmax())


@pytest.mark.parametrize("recipe", [PointProcess(mode="position"), GridBayes()])
def test_place_follows_from_counts_and_not_from_another_s(recipe: Decoder) -> None:
    fit, test = walked(1), walked(2)
    values = said(recipe, fit, test.features)
    # Rates that rise and fall with place are no log-linear ones; a grid is made for them.
    least = 0.9 if isinstance(recipe, GridBayes) else 0.3
    assert r2(test.targets.astype(float), values) > least
    assert r2(np.roll(test.targets, 700).astype(float), values) < 0.2


def test_a_leap_is_followed_though_nobody_leaps() -> None:
    fit = walked(1)
    here, there = np.zeros((2, 8))
    here[1], there[6] = 4.0, 40.0
    values = said(GridBayes(), fit, np.stack([*[here] * 5, *[there] * 5]))
    assert values[4, 0] < 3
    assert values[9, 0] > 7


def test_the_estimate_stays_near_where_training_went() -> None:
    fit = walked(1)
    values = said(PointProcess(mode="position"), fit, np.full((20, 8), 1e9))
    middle, reach = fit.targets.mean(), np.abs(fit.targets - fit.targets.mean()).max()
    assert np.abs(values - middle).max() <= 2 * reach + 1e-9


def test_silent_units_are_heard_as_silent() -> None:
    fit = walked(3)
    fit.features[:, 4] = 0.0
    for recipe in (PointProcess(), GridBayes()):
        assert np.isfinite(said(recipe, fit, fit.features[:50])).all()


@pytest.mark.parametrize("recipe", [Poisson(), PointProcess(), GridBayes()])
def test_what_is_no_count_is_refused_by_name(recipe: Decoder) -> None:
    fit = fired(np.full((2, 8), 2.0), 40) if recipe.task == "classes" else walked(1, 200)
    fit.features[3, 6] = -0.5
    with pytest.raises(Mismatch, match=r"u6 goes down to -0\.5"):
        recipe.fit(fit)


def test_units_that_vary_together_are_believed_less() -> None:
    fit = walked(1)
    doubled = Training(
        SIGNAL, np.repeat(fit.features[:, ::2], 2, axis=1), fit.targets, fit.groups, ("x",), "m"
    )
    recipe = PointProcess(mode="position")
    once = np.asarray(recipe.fit(fit)["dispersion"])
    twice = np.asarray(recipe.fit(doubled)["dispersion"])
    assert twice == pytest.approx(2 * once, rel=0.2)


def test_a_rise_with_speed_passes_for_no_direction() -> None:
    rng = np.random.default_rng(4)
    window = np.hanning(21) / 3
    velocity = np.stack([np.convolve(v, window, "same") for v in rng.standard_normal((2, 1500))], 1)
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    slopes = rng.standard_normal((2, 8)) * 0.3 + 0.15
    counts = rng.poisson(np.exp(velocity @ slopes + 0.8 * speed)).astype(np.float64)
    fit, test = (
        Training(SIGNAL, counts[p], velocity[p], np.zeros(750, int), ("vx", "vy"), "m/s")
        for p in (slice(750), slice(750, 1500))
    )
    truth = test.targets.astype(np.float64)
    without = r2(truth, said(PointProcess(with_speed=False), fit, test.features))
    assert r2(truth, said(PointProcess(), fit, test.features)) > without + 0.05


def test_more_axes_than_a_plane_are_refused() -> None:
    fit = walked(1, 100)
    targets = np.random.default_rng(0).standard_normal((100, 3))
    three = Training(SIGNAL, fit.features, targets, fit.groups, ("x", "y", "z"), "m")
    with pytest.raises(Mismatch, match="one or two values that change; the target has x, y, z"):
        GridBayes().fit(three)


def test_what_never_changes_cannot_be_fitted() -> None:
    fit = walked(1, 100)
    still = Training(SIGNAL, fit.features, np.ones((100, 1)), fit.groups, ("x",), "m")
    with pytest.raises(Mismatch, match="never changes"):
        PointProcess().fit(still)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Poisson(0.0),
        lambda: PointProcess(lag=-1),
        lambda: PointProcess(alpha=0.0),
        lambda: PointProcess(dispersion=-1.0),
        lambda: GridBayes(bins=1),
        lambda: GridBayes(speed=0.0),
        lambda: GridBayes(smoothing=-1.0),
    ],
)
def test_settings_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"must be positive|needs"):
        make()  # type: ignore[operator]


def test_commands_are_positions_unless_said() -> None:
    fit = walked(1, 100)
    decoding = GridBayes().start(SIGNAL, ("x",), "m", GridBayes().fit(fit))
    (command,) = decoding(Chunk(np.zeros(1), fit.features[:1]), Moment(0, 0.0))
    assert isinstance(command, Command)
    assert (command.mode, command.unit, command.names) == ("position", "m", ("x",))
