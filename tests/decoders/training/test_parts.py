import numpy as np
import pytest

from decoders.decoder import Training
from decoders.stage import Mismatch
from decoders.training.parts import crops, held_out_groups, held_out_rows, spread
from devices.signal import Signal


def trials(n, rows=3):
    """Trials of two classes by turns, `rows` rows each."""
    groups = np.repeat(np.arange(n), rows)
    return Training(
        Signal(1.0, ("a",), "1"), np.zeros((len(groups), 1)), groups % 2, groups, ("x", "y")
    )


def test_whole_trials_of_each_class_are_held_out_the_last_ones_first():
    held = held_out_groups(trials(20), 0.2, 0)
    assert sorted(set(trials(20).groups[held])) == [16, 17, 18, 19]
    assert held.sum() == 12
    held = held_out_groups(trials(20), 0.2, 1)
    assert sorted(set(trials(20).groups[held])) == [12, 13, 14, 15]


def test_members_together_learn_from_every_trial_and_are_checked_on_every_one():
    parts = [held_out_groups(trials(23), 0.25, member) for member in range(4)]
    assert (np.sum(parts, axis=0) == 1).all()


def test_one_trial_of_a_class_cannot_be_held_out():
    with pytest.raises(Mismatch, match="class 'y' has 1 trials"):
        held_out_groups(trials(3), 0.2, 0)


def test_rows_held_out_are_consecutive():
    held = held_out_rows(100, 0.2, 0)
    assert np.flatnonzero(held).tolist() == list(range(80, 100))
    assert np.flatnonzero(held_out_rows(100, 0.2, 2)).tolist() == list(range(40, 60))


def test_stretches_reach_over_no_end_of_a_group_and_no_row_that_is_not_taken():
    groups = np.repeat([3, 4], [10, 7])
    taken = np.ones(17, np.bool_)
    assert crops(groups, taken, 4, 3).tolist() == [0, 3, 6, 10, 13]
    taken[5] = False
    assert crops(groups, taken, 4, 3).tolist() == [0, 1, 6, 10, 13]
    assert crops(groups, taken, 11, 1).tolist() == []


def test_every_row_of_a_piece_that_is_long_enough_is_covered():
    groups = np.zeros(103, np.int64)
    seen = np.zeros(103, np.bool_)
    for first in crops(groups, np.ones(103, np.bool_), 20, 13):
        seen[first : first + 20] = True
    assert seen.all()


def test_a_column_that_never_varies_is_brought_to_nothing():
    mean, inverse = spread(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert mean.tolist() == [2.0, 5.0]
    assert inverse.tolist() == [1.0, 0.0]
