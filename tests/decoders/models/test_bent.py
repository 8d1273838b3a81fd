"""Decoders that are not linear: what they learn that lines cannot, and what they refuse."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Decoder, Moment, Training
from decoders.models.boosting import Boosting
from decoders.models.fgmdm import Fgmdm
from decoders.models.forest import Forest
from decoders.models.mdm import Mdm
from decoders.models.mlp import Mlp
from decoders.models.mlp_regression import MlpRegression
from decoders.models.naive_bayes import NaiveBayes
from decoders.models.perceptron import Perceptron
from decoders.models.ridge import Ridge
from decoders.models.svm import Svm
from decoders.models.tree import Tree
from decoders.models.wiener_cascade import WienerCascade
from decoders.output import Command, Prediction
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

SIGNAL = Signal(20.0, ("a", "b", "c"), "1")


def crossed(seed: int, n: int = 400) -> Training:
    """Two classes that only the product of two features tells apart."""
    rows = np.random.default_rng(seed).uniform(-1, 1, (n, 3))
    targets = (rows[:, 0] * rows[:, 1] > 0).astype(np.int64)
    return Training(SIGNAL, rows, targets, np.arange(n), ("left", "right"))


def gripped(seed: int, n: int = 1200) -> Training:
    """A force that is zero until the drive passes a threshold."""
    rng = np.random.default_rng(seed)
    drive = np.convolve(rng.standard_normal(n), np.hanning(31) / 4, "same")
    rows = drive[:, np.newaxis] * [1.0, -0.5, 0.3] + rng.standard_normal((n, 3)) * 0.1
    force = np.maximum(drive, 0.0)[:, np.newaxis]
    return Training(SIGNAL, rows, force, np.zeros(n, int), ("force",), "N")


def said(recipe: Decoder, fit: Training, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    decoding = recipe.start(SIGNAL, fit.labels, fit.unit, recipe.fit(fit))
    values = []
    for row in rows:
        for output in decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0)):
            assert isinstance(output, Prediction | Command)
            values.append(output.probabilities if isinstance(output, Prediction) else output.values)
    return np.array(values)


@pytest.mark.parametrize(
    "recipe",
    [Svm("rbf"), Mlp((16,), alpha=1e-3, epochs=150), Tree(8), Forest(50), Boosting(50)],
    ids=lambda r: type(r).__name__,
)
def test_what_no_line_parts_is_told_apart(recipe: Decoder) -> None:
    test = crossed(2)
    right = said(recipe, crossed(1), test.features).argmax(axis=1) == test.targets
    assert right.mean() > 0.85


@pytest.mark.parametrize("recipe", [Svm(), Perceptron()], ids=["svm", "perceptron"])
def test_a_line_cannot_and_is_unsure_of_it(recipe: Decoder) -> None:
    test = crossed(2)
    probabilities = said(recipe, crossed(1), test.features)
    assert (probabilities.argmax(axis=1) == test.targets).mean() < 0.65
    assert np.abs(probabilities - 0.5).mean() < 0.15


def error(recipe: Decoder) -> float:
    test = gripped(2)
    return float(((said(recipe, gripped(1), test.features) - test.targets) ** 2).mean())


@pytest.mark.parametrize(
    "recipe", [WienerCascade(), MlpRegression(epochs=60)], ids=["cascade", "perceptron"]
)
def test_a_force_with_a_floor_is_bent(recipe: Decoder) -> None:
    assert error(recipe) < 0.5 * error(Ridge())


def test_the_cascade_is_held_at_the_edge_of_what_it_saw() -> None:
    fit = gripped(1)
    far = said(WienerCascade(), fit, np.array([[1.0, -0.5, 0.3], [-1.0, 0.5, -0.3]]) * 100)
    assert far.max() < 1.5 * fit.targets.max()
    assert far.min() > -0.5 * fit.targets.max()


def test_history_is_waited_for() -> None:
    fit = gripped(1)
    assert len(said(MlpRegression(history=4, epochs=1), fit, fit.features[:10])) == 7
    assert len(said(WienerCascade(history=4), fit, fit.features[:10])) == 7


def test_gaussian_kernels_are_refused_on_many_rows() -> None:
    with pytest.raises(Mismatch, match=r"400 rows are too many .*most_rows = 399"):
        Svm("rbf", most_rows=399).fit(crossed(1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Svm("poly"), 'kernel must be "linear" or "rbf"'),  # type: ignore[arg-type]
        (lambda: Svm(c=0.0), "svm needs c > 0"),
        (lambda: Perceptron(epochs=0), "perceptron needs"),
        (lambda: NaiveBayes(0.0), "smoothing must be positive"),
        (lambda: Tree(-1), "tree needs max_depth >= 0"),
        (lambda: Forest(0), "forest needs trees >= 1"),
        (lambda: Forest(thresholds="worst"), 'thresholds must be "best" or'),  # type: ignore[arg-type]
        (lambda: Boosting(leaves=1), "boosting needs"),
        (lambda: Mlp(()), "needs a hidden layer or more"),
        (lambda: Mlp(activation="cubic"), "activation must be one of"),  # type: ignore[arg-type]
        (lambda: MlpRegression(0), "history must be at least 1"),
        (lambda: WienerCascade(degree=0), "degree must be at least 1"),
        (lambda: WienerCascade(history=0), "history must be at least 1"),
        (lambda: Mdm("euclid"), "metric must be"),  # type: ignore[arg-type]
        (lambda: Fgmdm("euclid"), "metric must be"),  # type: ignore[arg-type]
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()
