import numpy as np
import pytest

from devices.simulation.tuning import CosineTuning


def test_a_unit_fires_most_in_its_preferred_direction_and_never_less_than_nothing():
    tuning = CosineTuning(
        preferred_rad=np.array([0.0, np.pi / 2]),
        baseline_hz=np.array([10.0, 1.0]),
        depth=np.array([20.0, 20.0]),
        speed_gain=np.array([0.0, 4.0]),
    )
    velocity = np.array([[0.0, 0.0], [0.5, 0.0], [-0.25, 0.0], [0.0, 0.5], [0.0, -0.5]])
    expected = [[10, 1], [20, 3], [5, 2], [10, 13], [10, 0]]
    np.testing.assert_allclose(tuning.rates_hz(velocity), expected, atol=1e-12)


def test_a_population_points_everywhere_and_is_drawn_by_its_seed():
    tuning = CosineTuning.draw(1000, np.random.default_rng(3))
    again = CosineTuning.draw(1000, np.random.default_rng(3))
    assert np.abs(np.exp(1j * tuning.preferred_rad).mean()) < 0.1
    assert np.median(tuning.baseline_hz) == pytest.approx(8.0, rel=0.15)
    np.testing.assert_array_equal(tuning.preferred_rad, again.preferred_rad)
