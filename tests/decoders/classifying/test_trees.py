import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from decoders.classifying.trees import Descent, MeanOfTrees, flatten, flatten_histogram


@pytest.fixture
def rows() -> NDArray[np.float64]:
    # Ties and values that single precision cannot tell apart are where comparisons differ.
    rng = np.random.default_rng(0)
    return np.concatenate(
        [rng.standard_normal((150, 5)), rng.integers(0, 4, (50, 5)), 1 + rng.random((50, 5)) * 1e-7]
    )


def test_every_row_falls_to_the_library_s_leaf(rows: NDArray[np.float64]) -> None:
    targets = np.random.default_rng(1).integers(0, 3, len(rows))
    model = ExtraTreesClassifier(30, random_state=0).fit(rows, targets)
    weights = flatten([tree.tree_ for tree in model.estimators_])
    descent = Descent(weights, rows.shape[1], np.float32)
    expected = model.apply(rows) + weights["roots"]
    assert all((descent(row) == leaves).all() for row, leaves in zip(rows, expected, strict=True))


def test_a_booster_s_trees_say_what_they_say_there(rows: NDArray[np.float64]) -> None:
    targets = np.random.default_rng(2).integers(0, 2, len(rows))
    model = HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=2).fit(rows, targets)
    weights = flatten_histogram(model._predictors)
    descent = Descent(weights, rows.shape[1], np.float64)
    value = weights["value"].ravel()
    said = np.array([value[descent(row)].sum() for row in rows]) + model._baseline_prediction.item()
    assert said == pytest.approx(model.decision_function(rows), abs=1e-12)


def test_a_tree_of_one_leaf_says_the_shares(rows: NDArray[np.float64]) -> None:
    targets = np.arange(len(rows)) % 5 == 0
    stump = DecisionTreeClassifier(min_samples_leaf=len(rows)).fit(rows, targets)
    mean = MeanOfTrees(flatten([stump.tree_]), rows.shape[1], np.float32)
    assert list(mean(rows[0])) == pytest.approx([0.8, 0.2])


def test_rows_beyond_single_precision_fall_to_an_outer_leaf(rows: NDArray[np.float64]) -> None:
    targets = (rows[:, 0] > 0).astype(int)
    model = DecisionTreeClassifier().fit(rows, targets)
    mean = MeanOfTrees(flatten([model.tree_]), rows.shape[1], np.float32)
    assert list(mean(np.full(5, 1e300))) == [0.0, 1.0]
    assert list(mean(np.full(5, -1e300))) == [1.0, 0.0]
