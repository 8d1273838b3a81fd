import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.numerics import eigen
from decoders.numerics.eigen import cholesky_into, eigenvalues_into, eigenvectors_into
from decoders.numerics.spd import Logarithm, LogCholesky, inverse_root, symmetric_index, upper_index
from decoders.numerics.tangent import exponential


def covariances(k: int, n: int) -> NDArray[np.float64]:
    x = np.random.default_rng(n).standard_normal((k, n, 2 * n))
    return x @ x.transpose(0, 2, 1)


@pytest.mark.parametrize("n", [1, 5, 64])
def test_eigenvectors_are_those_of_numpy_to_the_bit(n: int) -> None:
    (matrix,) = covariances(1, n)
    values, vectors = np.empty(n), np.empty((n, n))
    eigenvectors_into(matrix, (values, vectors))
    expected = np.linalg.eigh(matrix)
    assert values.tobytes() == expected.eigenvalues.tobytes()
    assert np.array_equal(vectors, expected.eigenvectors)


@pytest.mark.parametrize("n", [1, 5, 64])
def test_eigenvalues_are_those_of_numpy_to_the_bit(n: int) -> None:
    matrices, values = covariances(3, n), np.empty((3, n))
    eigenvalues_into(matrices, values)
    assert values.tobytes() == np.linalg.eigvalsh(matrices).tobytes()


@pytest.mark.parametrize("n", [1, 5, 64])
def test_a_factor_is_that_of_numpy_to_the_bit(n: int) -> None:
    (matrix,) = covariances(1, n)
    lower = np.full((n, n), np.nan)
    cholesky_into(matrix, lower)
    assert np.array_equal(lower, np.linalg.cholesky(matrix))


def test_without_what_is_private_in_numpy_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = covariances(2, 7)
    direct = np.empty(7), np.empty((7, 7))
    eigenvectors_into(matrices[0], direct)
    direct_values, direct_factor = np.empty((2, 7)), np.empty((7, 7))
    eigenvalues_into(matrices, direct_values)
    cholesky_into(matrices[0], direct_factor)

    monkeypatch.setattr(eigen, "_vectors", eigen._eigh)
    monkeypatch.setattr(eigen, "_values", eigen._eigvalsh)
    monkeypatch.setattr(eigen, "_factor", eigen._cholesky)
    public = np.empty(7), np.empty((7, 7))
    eigenvectors_into(matrices[0], public)
    public_values, public_factor = np.empty((2, 7)), np.empty((7, 7))
    eigenvalues_into(matrices, public_values)
    cholesky_into(matrices[0], public_factor)

    assert all(np.array_equal(a, b) for a, b in zip(direct, public, strict=True))
    assert np.array_equal(direct_values, public_values)
    assert np.array_equal(direct_factor, public_factor)


def test_this_numpy_has_what_is_private() -> None:
    assert eigen._vectors is not eigen._eigh
    assert eigen._values is not eigen._eigvalsh
    assert eigen._factor is not eigen._cholesky


def test_what_is_not_finite_is_refused() -> None:
    matrices = covariances(2, 4)
    matrices[1, 2, 2] = np.nan
    with np.errstate(invalid="ignore"), pytest.raises(np.linalg.LinAlgError, match="not finite"):
        eigenvectors_into(matrices[1], (np.empty(4), np.empty((4, 4))))
    with np.errstate(invalid="ignore"), pytest.raises(np.linalg.LinAlgError, match="not finite"):
        eigenvalues_into(matrices, np.empty((2, 4)))
    with np.errstate(invalid="ignore"), pytest.raises(np.linalg.LinAlgError, match="not finite"):
        cholesky_into(matrices[1], np.empty((4, 4)))
    with np.errstate(invalid="ignore"), pytest.raises(np.linalg.LinAlgError, match="not positive"):
        cholesky_into(-np.eye(4), np.empty((4, 4)))


def test_the_logarithm_of_a_triangle_is_that_of_its_matrix() -> None:
    mean, matrix = covariances(2, 6)
    row = matrix.ravel()[upper_index(6)]
    assert np.array_equal(row[symmetric_index(6)], matrix)
    plain, whitened = Logarithm(6), Logarithm(6, inverse_root(mean))
    assert exponential(plain(row).reshape(6, 6)) == pytest.approx(matrix, rel=1e-9, abs=1e-9)
    white = inverse_root(mean) @ matrix @ inverse_root(mean)
    assert exponential(whitened(row).reshape(6, 6)) == pytest.approx(white, rel=1e-9, abs=1e-9)
    assert np.array_equal(whitened(row), whitened.of(matrix))


def test_the_logarithm_of_a_singular_matrix_is_finite() -> None:
    flat = np.zeros(6)
    flat[0] = 1.0
    assert np.isfinite(Logarithm(3)(flat)).all()
    assert np.isfinite(LogCholesky(3)(flat)).all()
    assert np.isfinite(LogCholesky(3)(np.zeros(6))).all()


def test_the_factor_of_a_triangle_is_that_of_its_matrix_with_logarithms_on_its_diagonal() -> None:
    mean, matrix = covariances(2, 6)
    whitening = inverse_root(mean)
    found = LogCholesky(6, whitening)(matrix.ravel()[upper_index(6)]).reshape(6, 6)
    expected = np.linalg.cholesky(whitening @ matrix @ whitening)
    assert np.exp(np.diag(found)) == pytest.approx(np.diag(expected))
    assert np.tril(found, -1) == pytest.approx(np.tril(expected, -1))
    assert np.array_equal(found, np.tril(found))
