import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.numerics.spd import inverse_root
from decoders.numerics.tangent import exponential, logarithms, riemannian_mean, triangles


def covariances(k: int, n: int, n_samples: int) -> NDArray[np.float64]:
    x = np.random.default_rng(k).standard_normal((k, n, n_samples))
    return x @ x.transpose(0, 2, 1) / n_samples


@pytest.mark.parametrize(("n", "n_samples"), [(1, 3), (6, 40), (16, 20)])
def test_the_mean_is_that_of_pyriemann(n: int, n_samples: int) -> None:
    from pyriemann.geometry.mean import mean_riemann

    full = covariances(12, n, n_samples)
    assert riemannian_mean(full) == pytest.approx(mean_riemann(full), rel=1e-6, abs=1e-6)


def test_at_the_mean_all_tangents_sum_to_nothing_however_far_they_are() -> None:
    full = covariances(9, 5, 8) * np.logspace(-6, 6, 9)[:, np.newaxis, np.newaxis]
    rows = triangles(logarithms(full, inverse_root(riemannian_mean(full))))
    assert np.abs(rows).max() > 10
    assert rows.mean(axis=0) == pytest.approx(0, abs=1e-7)


def test_the_mean_of_one_matrix_is_itself_and_of_two_that_commute_is_geometric() -> None:
    (one,) = covariances(1, 4, 9)
    assert riemannian_mean(one[np.newaxis]) == pytest.approx(one)
    pair = np.stack([np.diag([1.0, 4.0]), np.diag([100.0, 9.0])])
    assert riemannian_mean(pair) == pytest.approx(np.diag([10.0, 6.0]))


def test_the_mean_moves_with_what_mixes_the_channels() -> None:
    full, mixing = covariances(7, 4, 9), np.random.default_rng(0).standard_normal((4, 4))
    expected = mixing @ riemannian_mean(full) @ mixing.T
    assert riemannian_mean(mixing @ full @ mixing.T) == pytest.approx(expected)


def test_a_tangent_is_as_long_as_the_matrix_is_away() -> None:
    mean, full = covariances(1, 4, 9)[0], covariances(3, 4, 9)
    rows = triangles(logarithms(full, inverse_root(mean)))
    logs = np.log(np.linalg.eigvals(np.linalg.inv(mean) @ full).real)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.linalg.norm(logs, axis=1))


def test_exponentials_and_triangles_undo_logarithms() -> None:
    full = covariances(3, 4, 9)
    assert exponential(logarithms(full)) == pytest.approx(full)
    assert triangles(np.array([[[1.0, 2.0], [2.0, 3.0]]])) == pytest.approx(
        np.array([[1.0, 2.0 * np.sqrt(2), 3.0]])
    )
