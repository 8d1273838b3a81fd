import numpy as np
import pytest

from decoders.classifying.platt import Platt, splits
from decoders.decoder import Training
from decoders.stage import Mismatch
from devices.signal import Signal

SIGNAL = Signal(10.0, ("a",), "1")


def trials(classes: list[int], rows: int = 3) -> Training:
    targets = np.repeat(classes, rows)
    groups = np.repeat(np.arange(len(classes)), rows)
    return Training(SIGNAL, np.zeros((len(targets), 1)), targets, groups, ("left", "right"))


def test_whole_trials_are_left_out_each_once() -> None:
    training = trials([0, 1] * 6)
    left_out = [out for _, out in splits(training)]
    assert sorted(np.concatenate(left_out).tolist()) == list(range(36))
    for kept, out in splits(training):
        assert not set(training.groups[kept]) & set(training.groups[out])
        assert set(training.targets[kept]) == set(training.targets[out]) == {0, 1}


def test_one_trial_of_a_class_cannot_be_left_out() -> None:
    with pytest.raises(Mismatch, match="each class needs two trials or more"):
        splits(trials([0, 0, 0, 1]))


def test_probabilities_add_up_however_far_the_scores_are() -> None:
    two = Platt({"slope": np.array([-2.0]), "offset": np.array([0.5])})
    three = Platt({"slope": -np.ones(3), "offset": np.zeros(3)})
    for score in (-1e300, -1e3, 0.0, 1e3, 1e300):
        assert sum(two(np.array([score]))) == 1.0
        assert sum(three(np.full(3, score))) == pytest.approx(1.0)
    assert two(np.array([0.25]))[1] == pytest.approx(0.5)
    assert two(np.array([1e300])) == (0.0, 1.0)
    assert max(three(np.array([50.0, 0.0, -50.0]))) == pytest.approx(2 / 3)
