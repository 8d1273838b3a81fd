import numpy as np
import pytest

from devices.simulation.person import Person
from devices.simulation.tuning import CosineTuning

STEP_S = 0.02


def person(**fields):
    return Person(STEP_S, np.random.default_rng(0), **fields)


def test_a_new_target_is_acted_on_after_the_reaction_time():
    one = person(reaction_s=0.2, error_rad=0.0)
    target = np.array([0.1, 0.0])
    speeds = [float(np.linalg.norm(one.intend(np.zeros(2), target))) for _ in range(20)]
    assert speeds[:10] == [0.0] * 10
    assert speeds[10] == pytest.approx(0.3)


def test_without_a_target_nothing_is_meant():
    one = person()
    assert not np.any([one.intend(np.zeros(2), None) for _ in range(30)])


def test_a_cursor_that_does_as_it_is_meant_arrives_and_stays():
    one, cursor, target = person(error_rad=0.0), np.zeros(2), np.array([0.08, -0.06])
    for _ in range(100):
        cursor = cursor + STEP_S * one.intend(cursor, target)
    np.testing.assert_allclose(cursor, target, atol=0.003)


def test_the_direction_errs_less_with_practice():
    one, target = person(error_rad=0.3, practice_s=60.0), np.array([1000.0, 0.0])
    angles = []
    for _ in range(int(300 / STEP_S)):
        vx, vy = one.intend(np.zeros(2), target)
        angles.append(np.arctan2(vy, vx) if vx or vy else 0.0)
    early, late = np.std(angles[50:2000]), np.std(angles[-5000:])
    assert late < 0.75 * early
    assert 0.1 < late < 0.25


def test_days_change_a_population_a_little_each_and_no_unit_grows_without_end():
    first = CosineTuning.draw(2000, np.random.default_rng(0))
    one = first.after(1, np.random.default_rng(1))
    ten = first.after(10, np.random.default_rng(1))
    assert first.after(0, np.random.default_rng(1)).depth.tolist() == first.depth.tolist()

    def turned(other):
        return np.degrees(np.median(np.abs(other.preferred_rad - first.preferred_rad)))

    assert 2 < turned(one) < 5
    assert 8 < turned(ten) < 16
    silent = (ten.baseline_hz == 0).mean()
    assert 0.06 < silent < 0.13
    assert np.isfinite(ten.rates_hz(np.array([[0.3, 0.0]]))).all()
