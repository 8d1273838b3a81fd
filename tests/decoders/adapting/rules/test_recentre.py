from dataclasses import replace

import numpy as np
import pytest

from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rules.recentre import Recentre
from decoders.decoder import Training
from decoders.features.covariance import Covariance
from decoders.models.lda import Lda
from decoders.models.mdm import Mdm
from decoders.models.tangent_space import TangentSpace
from decoders.numerics.spd import matrices
from decoders.output import Adapted
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Signal
from tests.decoders.drifting import artifact, lda, run, said

N = 3
HOP = 60
SIGNAL = Signal(600.0, ("a", "b", "c"), "uV")
PIPELINE = Pipeline(0.1, stages=Chain((Covariance(0.1, 0.0),)))


def samples(n, seed, mixing=None):
    """`n` blocks of two classes, five blocks of each in turn, seen through `mixing`."""
    mixing = np.eye(N) if mixing is None else mixing
    rng = np.random.default_rng(seed)
    truth = np.arange(n) // 5 % 2
    size = np.ones((n, 1, N))
    size[np.arange(n), 0, truth] = 2.0
    x = (size * rng.standard_normal((n, HOP, N))).reshape(-1, N) @ mixing.T
    return x.astype(np.float32), truth


def covariances(x):
    extraction = PIPELINE.extract(SIGNAL)
    chunk = Chunk(np.arange(len(x)) / 600.0, x)
    rows = [features.chunk.values[-1].copy() for _, features, _ in extraction.feed(chunk)]
    return extraction.features, np.array(rows)


def fitted(decoder):
    x, truth = samples(300, 0)
    signal, rows = covariances(x)
    training = Training(signal, rows, truth, np.arange(300) // 5, ("a", "b"))
    return replace(artifact(decoder, PIPELINE, training), signal=SIGNAL)


def start(model, decoder, *rules):
    adaptation = Adaptation(rules=rules) if rules else None
    return model.run(SIGNAL, replace(PIPELINE, adaptation=adaptation), decoder)


def decode(run, x):
    """Outputs of each block."""
    return [list(d.outputs) for d in run.feed(Chunk(np.arange(len(x)) / 600.0, x))]


def right(found, truth, first):
    guesses = [np.argmax(outputs[0].probabilities) for outputs in found]
    return float(np.mean((np.array(guesses) == truth)[first:]))


def notices(found):
    return [o for outputs in found for o in outputs if isinstance(o, Adapted)]


DRIFT = np.array([[1.8, 0.6, 0.0], [0.0, 0.5, 0.3], [0.2, 0.0, 1.2]])


@pytest.mark.parametrize(
    ("decoder", "metric"),
    [
        (TangentSpace(), "riemann"),
        (TangentSpace(), "euclid"),
        (TangentSpace(metric="logchol"), "riemann"),
        (Mdm(), "riemann"),
        (Mdm("logchol"), "riemann"),
    ],
)
def test_after_a_drift_of_the_electrodes_it_finds_back_without_labels(decoder, metric):
    model = fitted(decoder)
    x, truth = samples(300, 1, DRIFT)
    rule = Recentre(metric, time_constant_s=30.0, prior_s=5.0, every_s=2.0)
    fixed = decode(start(model, decoder), x)
    moved = decode(start(model, decoder, rule), x)
    assert right(moved, truth, 150) > right(fixed, truth, 150) + 0.1
    assert all("covariances" in o.reason and o.n_labels == 0 for o in notices(moved))


def test_without_a_drift_it_costs_nothing():
    model = fitted(TangentSpace())
    x, truth = samples(300, 2)
    fixed = decode(start(model, TangentSpace()), x)
    moved = decode(start(model, TangentSpace(), Recentre(every_s=2.0)), x)
    assert [outputs[:1] for outputs in moved[:20]] == fixed[:20]
    assert right(moved, truth, 100) >= right(fixed, truth, 100) - 0.03


def test_the_running_mean_moves_along_the_geodesic():
    from pyriemann.geometry.geodesic import geodesic_riemann
    from pyriemann.geometry.mean import mean_riemann

    model = fitted(TangentSpace())
    x, _ = samples(21, 3, DRIFT)
    rule = Recentre(time_constant_s=1e6, prior_s=1.0, every_s=2.0)
    running = start(model, TangentSpace(), rule)
    decode(running, x)
    home = mean_riemann(matrices(covariances(samples(300, 0)[0])[1]), tol=1e-12, maxiter=200)
    mean = home
    for i, covariance in enumerate(matrices(covariances(x)[1][:20])):
        mean = geodesic_riemann(mean, covariance, 1 / (11 + i))
    alignment = running.adaptive.versions.current.weights["alignment"]
    np.testing.assert_allclose(alignment @ mean @ alignment.T, home, rtol=1e-5)


def test_what_is_no_covariance_is_refused():
    with pytest.raises(Mismatch, match="tangent_space or mdm"):
        said(run(lda(), Lda(), [Recentre()]), np.zeros((5, 4)))
