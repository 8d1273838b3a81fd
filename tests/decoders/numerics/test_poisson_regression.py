import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

from decoders.numerics.poisson_regression import poisson_regression


@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_each_unit_s_regression_is_the_library_s(alpha: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 2))
    slopes = rng.standard_normal((12, 2)) * np.linspace(0, 1.2, 12)[:, np.newaxis]
    counts = rng.poisson(np.exp(x @ slopes.T + rng.uniform(-3, 2, 12))).astype(np.float64)
    intercepts, found = poisson_regression(x, counts, alpha)
    for unit, intercept, slope in zip(counts.T, intercepts, found, strict=True):
        library = PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=1000).fit(x, unit)
        assert intercept == pytest.approx(library.intercept_, abs=1e-5)
        assert slope == pytest.approx(library.coef_, abs=1e-5)


def test_counts_that_are_hardly_there_end_somewhere() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((300, 2))
    counts = np.full((300, 3), 1e-218)
    counts[7, 1] = 1.0
    counts[:, 2] = np.where(x[:, 0] > 1.5, 40.0, 0.0)
    intercepts, slopes = poisson_regression(x, counts, 1e-3)
    assert np.isfinite(intercepts).all()
    assert np.isfinite(slopes).all()
    assert slopes[2, 0] > 1
