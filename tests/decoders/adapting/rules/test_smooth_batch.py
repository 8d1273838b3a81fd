from dataclasses import replace

import numpy as np
import pytest

from benchmarks.closed_loop import STEP_S, Loop, blank, population
from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rows import meant
from decoders.adapting.rules.smooth_batch import SmoothBatch
from decoders.decoder import Training
from decoders.models.kalman import Kalman
from decoders.models.lda import Lda
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from devices.signal import Event
from tests.decoders.drifting import (
    VELOCITY,
    artifact,
    error,
    lda,
    reaching,
    ridge,
    run,
    said,
    versions,
)

STEPS = Pipeline(STEP_S)
CALIBRATING = SmoothBatch(batch_s=5.0, intent="goal")
UNSUPERVISED = SmoothBatch(batch_s=20.0, half_life_s=120.0, targets="inferred", intent="goal")


@pytest.fixture(scope="module")
def calibrated():
    """A decoder after 40 s in closed loop that began with nothing, and its session."""
    loop = Loop(blank(STEPS), STEPS, population(0), Adaptation(rules=(CALIBRATING,)))
    loop.task.timeout_s = 2.0
    loop.go(40)
    return loop, loop.taught()


def test_forty_seconds_from_nothing_make_a_cursor_as_fast_as_published(calibrated):
    loop, _ = calibrated
    first = len(loop.task.reaches)
    loop.task.timeout_s = 6.0
    loop.go(40, "off")
    assert loop.task.throughput(first) >= 2.9
    assert all(reach.hit for reach in loop.task.reaches[first:])


def test_after_adaptation_the_cursor_is_faster(calibrated):
    _, model = calibrated
    drifted = population(0, days=20)
    fixed = Loop(model, STEPS, drifted, seed=5, tells=False)
    fixed.go(40)
    adapting = Loop(model, STEPS, drifted, Adaptation(rules=(UNSUPERVISED,)), 5, tells=False)
    adapting.go(80)
    first = len(adapting.task.reaches)
    adapting.go(40, "off")
    assert adapting.task.throughput(first) > 1.1 * fixed.task.throughput()


def kalman(turn=0.0):
    rows, velocity = reaching(600, 0, turn)
    training = Training(
        VELOCITY, rows.astype(np.float64), velocity, np.zeros(600, int), ("vx", "vy"), "m/s"
    )
    return artifact(Kalman(), Pipeline(0.1), training)


def values_told(velocity):
    return [
        Event(i, "", "client", "label", tuple(velocity[i].tolist()), i - 1)
        for i in range(1, len(velocity))
    ]


def test_parameters_are_smoothed_as_the_papers_formula_says():
    model = kalman()
    rows, velocity = reaching(250, 3, turn=0.5)
    rule = SmoothBatch(10.0, 10.0, "parameters", shrinkage=0.0)
    running = run(model, Kalman(), [rule], pipeline=Pipeline(0.1))
    found = said(running, rows, events=values_told(velocity))
    (_, first), *_ = versions(found)
    at = np.arange(first.first, first.last + 1)
    at = at[at >= 1]
    x = np.column_stack([velocity[at], np.ones(len(at))])
    estimate = np.linalg.lstsq(x, rows[at].astype(float), rcond=None)[0].T
    expected = 0.5 * model.weights["tuning"] + 0.5 * estimate[:, :2]
    made = running.adaptive.versions.kept[1].weights["tuning"]
    np.testing.assert_allclose(made, expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("blend", ["statistics", "parameters"])
def test_after_a_turn_of_all_directions_both_ways_find_back(blend):
    model = kalman()
    rows, velocity = reaching(900, 3, turn=1.0)
    rule = SmoothBatch(10.0, 10.0, blend)
    plain = Pipeline(0.1)
    fixed = said(run(model, Kalman(), pipeline=plain), rows)
    learning = said(
        run(model, Kalman(), [rule], pipeline=plain), rows, events=values_told(velocity)
    )
    assert error(learning, velocity, 500) < 0.6 * error(fixed, velocity, 500)


def test_a_batch_that_says_too_little_is_waited_for():
    model = kalman()
    rows, _ = reaching(300, 3)
    rule = SmoothBatch(batch_s=5.0, intent="goal")
    one_way = [Event(0, "far", "client", "target", (1e6, 0.0))]
    found = said(run(model, Kalman(), [rule], pipeline=Pipeline(0.1)), rows, events=one_way)
    assert not versions(found)


def test_intent_is_turned_with_its_speed_or_goes_to_the_goal():
    decoded = np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    left = np.array([[3.0, 0.0], [0.0, -0.001], [0.0, 4.0]])
    rotated = meant("rotate", decoded, left, 0.01, 1.0, 1.0)
    np.testing.assert_allclose(rotated, [[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    goal = meant("goal", decoded, left, 0.01, 0.5, 6.0)
    np.testing.assert_allclose(goal, [[0.25, 0.0], [0.0, 0.0], [0.0, 0.5 * 4 / 6]])
    unknown = meant("goal", decoded[:1], np.full((1, 2), np.nan), 0.01, 0.5, 6.0)
    assert np.isnan(unknown).all()


def test_other_decoders_are_refused():
    with pytest.raises(Mismatch, match="kalman"):
        said(run(lda(), Lda(), [SmoothBatch()]), np.zeros((5, 4)))
    decoder, fitted = ridge()
    with pytest.raises(Mismatch, match="kalman"):
        said(run(fitted, decoder, [SmoothBatch()], pipeline=Pipeline(0.1)), np.zeros((5, 12)))
    three = kalman()
    weights = {**three.weights}
    with pytest.raises(Mismatch, match="two dimensions"):
        said(
            run(
                replace(three, labels=("vx", "vy", "vz"), weights=weights),
                Kalman(),
                [SmoothBatch(targets="inferred")],
                pipeline=Pipeline(0.1),
            ),
            np.zeros((5, 12)),
        )
