import numpy as np
import pytest

from devices.simulation.articulators import ARTICULATORS
from devices.simulation.speech_tuning import SpeechTuning

N = len(ARTICULATORS)


def drawn(n_units=400, seed=0):
    return SpeechTuning.draw(n_units, np.random.default_rng(seed))


def test_units_follow_a_few_articulators_each():
    tuning = drawn()
    followed = (tuning.position != 0).sum(axis=0)
    assert (followed > 0).mean() > 0.95
    assert followed.max() <= 5
    assert len(set(followed)) > 3
    assert (np.count_nonzero(tuning.position, axis=1) > 20).all()


def test_rates_never_fall_below_nothing_and_are_the_baseline_at_rest():
    tuning = drawn()
    rest = np.zeros((1, N))
    np.testing.assert_array_equal(tuning.rates_hz(rest, rest)[0], tuning.baseline_hz)
    far = np.random.default_rng(1).normal(0, 5, (50, N))
    assert tuning.rates_hz(far, far).min() == 0.0


def test_untuned_units_fire_whatever_is_said():
    tuning = SpeechTuning.untuned(10, np.random.default_rng(0))
    moved = np.ones((3, N))
    np.testing.assert_array_equal(tuning.rates_hz(moved, moved), [tuning.baseline_hz] * 3)
    assert (tuning.baseline_hz > 0).all()


def test_tuning_wanders_with_the_days_and_units_go_and_come():
    tuning = drawn()

    def alike(days):
        later = tuning.after(days, np.random.default_rng(1))
        cosines = (later.position * tuning.position).sum(axis=0)
        lengths = np.linalg.norm(later.position, axis=0) * np.linalg.norm(tuning.position, axis=0)
        lost = (later.baseline_hz == 0).mean()
        return np.median(cosines[lengths > 0] / lengths[lengths > 0]), lost

    (near, lost_soon), (far, lost_late) = alike(1), alike(30)
    assert near == pytest.approx(np.cos(np.radians(5.0)), abs=0.01)
    assert near > far > 0.5
    assert lost_soon < 0.05
    assert 0.1 < lost_late < 0.4
