import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.classifying.discriminants import discriminants


def classes(
    n_classes: int, flat: bool = False, n_features: int = 20
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(n_classes)
    targets = rng.choice(n_classes, 60, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
    mixing = rng.standard_normal((n_features, n_features))
    rows = rng.standard_normal((60, n_features)) @ mixing + targets[:, np.newaxis]
    rows[:, 0] = 3.0 if flat else rows[:, 0]
    return rows, targets


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shrinkage", ["auto", 0.0, 0.3])
@pytest.mark.parametrize("flat", [False, True])
def test_it_is_the_solution_of_scikit_learn(n_classes: int, shrinkage, flat: bool) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rows, targets = classes(n_classes, flat)
    for by_size in (False, True):
        priors = (
            np.bincount(targets) / len(targets) if by_size else np.full(n_classes, 1 / n_classes)
        )
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
        model.fit(rows, targets)
        found = discriminants(rows, targets, n_classes, shrinkage, by_size=by_size)
        coef = found.coef[1:] - found.coef[:1] if n_classes == 2 else found.coef
        assert coef == pytest.approx(model.coef_, rel=1e-6, abs=1e-8)
        assert found.means == pytest.approx(model.means_)
        assert found.covariance == pytest.approx(model.covariance_, rel=1e-9, abs=1e-12)


def test_the_weights_take_all_classes_for_equally_likely_and_of_two_the_first_is_zeros() -> None:
    rows, targets = classes(2)
    found = discriminants(rows, targets, 2)
    weights = found.weights()
    assert not weights["coef"][0].any()
    assert weights["intercept"][0] == 0
    middle = found.means.mean(axis=0)
    assert weights["coef"][1] @ middle + weights["intercept"][1] == pytest.approx(0, abs=1e-9)


def test_more_features_than_rows_have_the_least_solution() -> None:
    rows, targets = classes(2, n_features=80)
    found = discriminants(rows, targets, 2, 0.0)
    assert found.coef == pytest.approx(found.means @ np.linalg.pinv(found.covariance), rel=1e-3)
