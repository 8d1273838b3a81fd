import numpy as np
import pytest

from decoders.adapting.adaptation import Lesson
from decoders.adapting.versions import Versions, weights_hash


def weights(value):
    return {"coef": np.full((2, 3), float(value)), "intercept": np.zeros(2)}


def lesson(n=1):
    return Lesson({}, f"lesson {n}", 10 * n, 10 * n + 9, 10, 1)


def test_each_version_says_what_made_it_and_what_it_came_from():
    versions = Versions(weights(0), [{}], keep=8)
    one = versions.add(lesson(1), weights(1), [{}])
    two = versions.add(lesson(2), weights(2), [{}])
    assert versions.back(1) is one
    three = versions.add(lesson(3), weights(3), [{}])
    assert [(v.number, v.parent, v.reason) for v in versions.kept] == [
        (0, 0, "calibrated"),
        (1, 0, "lesson 1"),
        (2, 1, "lesson 2"),
        (3, 1, "lesson 3"),
    ]
    assert (two.first, two.last, two.n_rows, two.n_labels) == (20, 29, 10, 1)
    assert versions.current is three


def test_weights_are_kept_as_they_were():
    mine = weights(1)
    versions = Versions(weights(0), [{}], keep=8)
    version = versions.add(lesson(), mine, [{}])
    mine["coef"][0, 0] = 99.0
    assert version.weights["coef"][0, 0] == 1.0
    assert version.hash == weights_hash(weights(1)) == weights_hash(version.weights)
    with pytest.raises(ValueError, match="read-only"):
        version.weights["coef"][0, 0] = 7.0


def test_the_hash_is_of_names_types_shapes_and_values():
    a = weights(1)
    different = [
        weights(2),
        {**a, "more": np.zeros(1)},
        {**a, "coef": a["coef"].T.copy()},
        {**a, "coef": a["coef"].astype(np.float32)},
    ]
    assert len({weights_hash(w) for w in [a, *different]}) == 5
    assert weights_hash(dict(reversed(a.items()))) == weights_hash(a)


def test_memory_is_bounded_and_old_versions_grow_sparse():
    versions = Versions(weights(0), [{}], keep=16)
    for n in range(1, 1000):
        versions.add(lesson(n), weights(n), [{}])
        assert len(versions.kept) <= 16
    numbers = [v.number for v in versions.kept]
    assert numbers[0] == 0
    assert numbers[-8:] == list(range(992, 1000))
    assert versions.back(1) is None
    assert versions.current.number == 999
