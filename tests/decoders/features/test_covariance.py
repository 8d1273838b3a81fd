import numpy as np
import pytest

from decoders.features.covariance import Covariance
from decoders.stage import Mismatch
from devices.signal import Signal

UPPER = np.triu_indices(3)


def test_the_covariance_of_the_window(noise, blockwise):
    x = noise.astype(float)
    expected = [
        (x[end - 100 : end].T @ x[end - 100 : end] / 100)[UPPER] for end in range(100, 2501, 25)
    ]
    assert blockwise(Covariance(0.4, 0.0), noise) == pytest.approx(np.array(expected), rel=1e-12)


def test_shrinkage_mixes_with_the_mean_variance(noise, blockwise):
    plain, out = blockwise(Covariance(0.4, 0.0), noise), blockwise(Covariance(0.4, 0.3), noise)
    trace = plain[:, [0, 3, 5]].sum(axis=1, keepdims=True)
    identity = np.eye(3)[UPPER]
    assert out == pytest.approx(0.7 * plain + 0.3 * trace / 3 * identity, rel=1e-12)


def test_it_does_not_drift(noise, blockwise):
    long = np.tile(noise, (40, 1))
    rows = blockwise(Covariance(0.4), long)
    assert (rows[-97:] == blockwise(Covariance(0.4), noise)).all()


def test_features_say_which_channels():
    step = Covariance(1.0).start(Signal(250.0, ("C3", "C4"), "uV"), 25)
    assert step.signal == Signal(10.0, ("C3*C3", "C3*C4", "C4*C4"), "uV^2")


def test_too_few_samples_for_the_channels_are_refused():
    many = Signal(250.0, tuple(f"c{i}" for i in range(64)), "uV")
    with pytest.raises(Mismatch, match="50 samples are too few for the covariance of 64 channels"):
        Covariance(0.2, 0.0).start(many, 25)


@pytest.mark.parametrize("wrong", [lambda: Covariance(0), lambda: Covariance(1, 1.5)])
def test_a_senseless_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        wrong()
