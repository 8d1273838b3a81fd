import math

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.features.recentre import Recentre
from decoders.features.whiten import Whiten
from decoders.stage import Mismatch
from devices.signal import Signal

N = 3
UPPER = np.triu_indices(N)


def drawn(n: int, seed: int = 0, mixing: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return (n, N, N) covariances of 30 samples each around a mean of their own."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((N, N)) * 5 if mixing is None else mixing
    x = mixing @ rng.standard_normal((n, N, 30))
    return x @ x.transpose(0, 2, 1) / 30


def rows(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([c[UPPER] for c in matrices])


def full(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(triangles), N, N))
    out[:, UPPER[0], UPPER[1]] = out[:, UPPER[1], UPPER[0]] = triangles
    return out


def power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


def run(recipe: Recentre, matrices: NDArray[np.float64], blockwise) -> NDArray[np.float64]:
    return full(blockwise(recipe, rows(matrices), rate_hz=10.0, block=1))


def test_the_first_seconds_set_the_mean_which_stays(blockwise):
    from pyriemann.geometry.geodesic import geodesic_riemann

    matrices = drawn(60)
    mean = matrices[0]
    for t in range(1, 40):
        mean = geodesic_riemann(mean, matrices[t], 1 / (t + 1))
    whitening = power(mean, -0.5)
    out = run(Recentre(calibration_s=4.0), matrices, blockwise)
    assert len(out) == 20
    assert out == pytest.approx(whitening @ matrices[40:] @ whitening, rel=1e-9)


def test_the_recursion_comes_near_to_the_riemannian_mean(blockwise):
    from pyriemann.geometry.mean import mean_riemann

    matrices = drawn(400)
    whitening = power(mean_riemann(matrices), -0.5)
    out = run(Recentre(calibration_s=40.0), np.concatenate([matrices, matrices[:5]]), blockwise)
    assert out == pytest.approx(whitening @ matrices[:5] @ whitening, rel=0.05, abs=0.05)


def test_it_goes_on_if_told_to(blockwise):
    matrices = drawn(30)
    out = run(Recentre("euclid", 0.0, math.inf), matrices, blockwise)
    for t in (0, 1, 7, 29):
        whitening = power(matrices[: t + 1].mean(axis=0), -0.5)
        assert out[t] == pytest.approx(whitening @ matrices[t] @ whitening, rel=1e-6, abs=1e-9)


def test_it_forgets_as_its_time_constant_says(blockwise):
    before, after = drawn(100, 1), drawn(100, 2)
    out = run(Recentre("riemann", 1.0, 1.0), np.concatenate([before, after]), blockwise)
    frozen = run(Recentre("riemann", 1.0), np.concatenate([before, after]), blockwise)
    far, near = (np.linalg.norm(o[-50:].mean(axis=0) - np.eye(N)) for o in (frozen, out))
    assert near < 0.3 < far


def test_sessions_that_differ_by_how_electrodes_see_the_brain_agree(blockwise):
    rng = np.random.default_rng(5)
    matrices = drawn(200, 3)
    # A rotation is left over, that of the two roots; what it leaves alone are the eigenvalues.
    other = rng.standard_normal((N, N))
    moved = other @ matrices @ other.T
    one, two = (run(Recentre(calibration_s=10.0), m, blockwise) for m in (matrices, moved))
    assert np.linalg.eigvalsh(one) == pytest.approx(np.linalg.eigvalsh(two), rel=1e-6)


def test_one_wild_matrix_pulls_no_more_than_its_share(blockwise):
    matrices = drawn(101, 4)
    matrices[50] *= 1e30
    out = run(Recentre(calibration_s=10.0), matrices, blockwise)
    plain = run(Recentre(calibration_s=10.0), drawn(101, 4), blockwise)
    assert np.abs(np.log(np.linalg.eigvalsh(out) / np.linalg.eigvalsh(plain))).max() < 0.2


def test_a_session_that_never_forgets_is_kept_by_its_model(tmp_path):
    from decoders.artifact import Artifact
    from decoders.calibrating.calibration import calibrate
    from decoders.deciding.trials import Trials
    from decoders.features.covariance import Covariance
    from decoders.models.mdm import Mdm
    from decoders.pipeline import Pipeline
    from decoders.stage import Chain
    from tests.decoders.made import cued

    stages = Chain((Covariance(0.5), Recentre("riemann", 0.0, math.inf)))
    pipeline = Pipeline(0.1, stages=stages, trials=Trials({"L": "left", "R": "right"}, 0.5, 2.5))
    model = calibrate(pipeline, Mdm(), [cued()])
    model.save(tmp_path / "m")
    again = Artifact.load(tmp_path / "m")
    assert again.hash == model.hash
    again.check(model.signal, pipeline, Mdm())
    other = Pipeline(0.1, stages=Chain((Covariance(0.5), Recentre())), trials=pipeline.trials)
    with pytest.raises(Mismatch, match="time_constant_s = 'inf', now 0"):
        again.check(model.signal, other, Mdm())


def test_what_is_no_covariance_is_refused():
    with pytest.raises(Mismatch, match="4 features"):
        Recentre().start(Signal(10.0, tuple("abcd"), "uV^2"), 1)


def test_whitened_samples_have_the_identity_as_covariance(noise, blockwise):
    mixed = noise[:1250] @ np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.1, 0.0, 9.0]])
    out = blockwise(Whiten(5.0, shrinkage=0.0), np.concatenate([mixed, mixed]))
    assert len(out) == 1250
    assert out.T @ out / 1250 == pytest.approx(np.eye(N), abs=1e-9)


def test_whitening_goes_on_if_told_to(noise, blockwise):
    louder = np.concatenate([noise, noise * 100])
    stays, goes = (blockwise(Whiten(2.0, t), louder) for t in (0.0, 1.0))
    assert np.abs(stays[-250:]).mean() > 10
    assert 0.3 < np.abs(goes[-250:]).mean() < 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Recentre(calibration_s=-1.0),
        lambda: Recentre(calibration_s=0.0),
        lambda: Whiten(0.0),
        lambda: Whiten(shrinkage=2.0),
    ],
)
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=r"needs|must|nothing"):
        wrong()
