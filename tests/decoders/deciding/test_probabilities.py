import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.deciding.probabilities import Calibrated, Method, fit_map, map_of
from decoders.decoder import Moment
from decoders.output import Command, Prediction
from decoders.scoring.reliability import reliability
from devices.signal import Chunk

METHODS: tuple[Method, ...] = ("temperature", "platt", "isotonic")


def made(n: int, seed: int, k: int = 2, sharp: float = 4.0) -> tuple[NDArray, NDArray]:
    """Return what a decoder says that is `sharp` times as sure as it should be, and the truth."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((n, k)) * 1.5
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truths = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = p**sharp / (p**sharp).sum(axis=1, keepdims=True)
    return said, truths


def mapped(method: Method, k: int = 2, sharp: float = 4.0) -> tuple[float, float]:
    """Return the error of calibration before and after, on rows that were not fitted."""
    said, truths = made(4000, 0, k, sharp)
    weights = fit_map(method, said, truths, np.ones(len(said)))
    other, truth = made(4000, 1, k, sharp)
    through = map_of(weights)
    assert through is not None
    after = np.array([through(tuple(row)) for row in other])
    assert after.sum(axis=1) == pytest.approx(1.0)
    return reliability(other, truth)["ece"], reliability(after, truth)["ece"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [2, 3])
def test_one_that_is_too_sure_says_what_is_true(method: Method, k: int) -> None:
    before, after = mapped(method, k)
    assert before > 0.1
    assert after < 0.035


def test_temperature_is_the_one_that_it_was_made_with() -> None:
    said, truths = made(20000, 2, 3)
    weights = fit_map("temperature", said, truths, np.ones(len(said)))
    assert 1 / weights["probabilities.slope"][0] == pytest.approx(4.0, rel=0.05)


def test_platt_is_logistic_regression_of_the_log_odds() -> None:
    from sklearn.linear_model import LogisticRegression

    said, truths = made(2000, 3)
    said = said * [1.0, 3.0] / (said * [1.0, 3.0]).sum(axis=1, keepdims=True)
    odds = np.log(said[:, 1:] / said[:, :1])
    library = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(odds, truths)
    through = map_of(fit_map("platt", said, truths, np.ones(len(said))))
    assert through is not None
    ours = np.array([through(tuple(row)) for row in said])
    assert np.abs(ours - library.predict_proba(odds)).max() < 0.005


def test_isotonic_is_the_library_s_but_for_the_prior() -> None:
    from sklearn.isotonic import IsotonicRegression

    said, truths = made(5000, 4)
    kept = fit_map("isotonic", said, truths, np.ones(len(said)))
    x = np.linspace(0.05, 0.95, 19)
    library = IsotonicRegression(out_of_bounds="clip").fit(said[:, 1], truths == 1)
    ours = np.interp(x, kept["probabilities.inputs"][1], kept["probabilities.outputs"][1])
    assert np.abs(ours - library.predict(x)).mean() < 0.05
    assert (np.diff(kept["probabilities.outputs"], axis=1) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_two_classes_stays_and_certainty_stays_finite(method: Method) -> None:
    said, truths = made(500, 5)
    through = map_of(fit_map(method, said, truths, np.ones(len(said))))
    assert through is not None
    ps = [through((1 - p, p))[1] for p in (0.0, 0.2, 0.5, 0.8, 1.0)]
    assert ps == sorted(ps)
    assert all(0 < p < 1 for p in ps)


def test_a_row_counts_as_much_as_its_weight() -> None:
    said, truths = made(300, 6)
    once = fit_map("platt", np.concatenate([said, said[:100]]), np.append(truths, truths[:100]),
                   np.ones(400))  # fmt: skip
    weighted = fit_map("platt", said, truths, np.where(np.arange(300) < 100, 2.0, 1.0))
    for name, array in once.items():
        assert array == pytest.approx(weighted[name], rel=1e-6)


def test_a_model_without_a_map_has_none() -> None:
    assert map_of({"coef": np.zeros(2)}) is None


def test_predictions_go_through_and_nothing_else_is_touched() -> None:
    said = (Prediction(("a", "b"), (0.1, 0.9), "b"), Command("velocity", ("x",), (1.0,), "1"))
    through = map_of({"probabilities.slope": np.array([0.5]), "probabilities.offset": np.zeros(2)})
    assert through is not None
    chunk, moment = Chunk(np.zeros(1), np.zeros((1, 1))), Moment(0, 0.0)
    prediction, command = Calibrated(lambda *_: said, through)(chunk, moment)
    assert prediction == Prediction(("a", "b"), (pytest.approx(0.25), pytest.approx(0.75)), "b")
    assert command == said[1]
