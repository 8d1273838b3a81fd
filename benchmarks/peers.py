"""The same methods as the libraries have them, on all rows at once: what ours stand beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.numerics.spd import matrices
from decoders.open_keys import chosen
from decoders.rows.history import with_history

__all__ = ["PEERS"]

Said = tuple[NDArray[np.float64], NDArray[Any]]
"""What the library says of each row, and what was meant."""


def _scaled(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def _classes(make: Callable[[Any], Any]) -> Callable[[Any, Training, Training], Said]:
    def fitted(recipe: Any, training: Training, test: Training) -> Said:
        model = make(recipe).fit(training.features, training.targets)
        return np.asarray(model.predict_proba(test.features)), test.targets

    return fitted


def _covariances(make: Callable[[Any], Any]) -> Callable[[Any, Training, Training], Said]:
    def fitted(recipe: Any, training: Training, test: Training) -> Said:
        model = make(chosen(recipe, training.signal))
        model.fit(matrices(training.features), training.targets)
        return np.asarray(model.predict_proba(matrices(test.features))), test.targets

    return fitted


def _values(make: Callable[[Any], Any]) -> Callable[[Any, Training, Training], Said]:
    def fitted(recipe: Any, training: Training, test: Training) -> Said:
        x, y = with_history(training, recipe.history)
        rows, meant = with_history(test, recipe.history)
        return np.asarray(make(recipe).fit(x, y).predict(rows)), meant

    return fitted


def _lda(recipe: Any) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def _logistic(recipe: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return _scaled(LogisticRegression(max_iter=2000))


def _svm(recipe: Any) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return _scaled(CalibratedClassifierCV(SVC(kernel=recipe.kernel), ensemble=False))


def _naive_bayes(recipe: Any) -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


def _tree(recipe: Any) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=5, min_samples_leaf=5, random_state=0)


def _forest(recipe: Any) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    family = RandomForestClassifier if recipe.thresholds == "best" else ExtraTreesClassifier
    return family(200, random_state=0)


def _boosting(recipe: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0, early_stopping=False)


def _perceptron(recipe: Any) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import Perceptron

    return _scaled(CalibratedClassifierCV(Perceptron(random_state=0), ensemble=False))


def _mlp(recipe: Any) -> Any:
    from sklearn.neural_network import MLPClassifier

    return _scaled(MLPClassifier((32,), alpha=1.0, random_state=0))


def _mdm(recipe: Any) -> Any:
    from pyriemann.classification import MDM

    return MDM(metric=recipe.metric)


def _fgmdm(recipe: Any) -> Any:
    from pyriemann.classification import FgMDM

    return FgMDM(metric=recipe.metric)


def _csp(recipe: Any) -> Any:
    from pyriemann.spatialfilters import CSP
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CSP(nfilter=recipe.filters), _lda(recipe))


def _tangent_space(recipe: Any) -> Any:
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TangentSpace(), LogisticRegression(max_iter=5000))


def _ridge(recipe: Any) -> Any:
    from sklearn.linear_model import RidgeCV

    return _scaled(RidgeCV(np.logspace(1, 5, 9)))


def _rcca(recipe: Any, training: Training, test: Training) -> Said:
    """Return whose code PyntBCI's rCCA takes each whole trial for, at each of its rows."""
    from pyntbci.classifiers import rCCA

    x, at = _whole_trials(training)
    rate_hz = training.signal.rate_hz * x.shape[2] / (len(training.targets) / len(at))
    bits = np.array([[int(bit) for bit in recipe.codes[label]] for label in training.labels])
    model = rCCA(
        bits.repeat(round(rate_hz / recipe.code_rate_hz), axis=1),
        round(rate_hz),
        event="duration",
        onset_event=recipe.onset,
        encoding_length=recipe.response_s,
    ).fit(x, training.targets[at])
    rows, _ = _whole_trials(test)
    found = np.asarray(model.predict(rows)).astype(np.int64)
    trial = np.unique(test.groups, return_inverse=True)[1]
    return np.eye(len(test.labels))[found[trial]], test.targets


def _whole_trials(training: Training) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (n_trials, n_channels, n_samples), and the first row of each trial."""
    _, at = np.unique(training.groups, return_index=True)
    assert training.ages is not None
    samples = int(training.ages[1] - training.ages[0])
    n_channels = training.features.shape[1] // samples
    whole = training.features.reshape(len(at), -1, n_channels).astype(np.float64)
    return np.ascontiguousarray(whole.transpose(0, 2, 1)), at


def _mlp_regression(recipe: Any) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        hidden_layer_sizes=(64,), alpha=1.0, max_iter=recipe.epochs, random_state=0
    )
    return TransformedTargetRegressor(_scaled(network), transformer=StandardScaler())


PEERS: dict[str, Callable[[Any, Training, Training], Said]] = {
    "lda": _classes(_lda),
    "logistic": _classes(_logistic),
    "svm": _classes(_svm),
    "naive_bayes": _classes(_naive_bayes),
    "tree": _classes(_tree),
    "forest": _classes(_forest),
    "boosting": _classes(_boosting),
    "perceptron": _classes(_perceptron),
    "mlp": _classes(_mlp),
    "mdm": _covariances(_mdm),
    "fgmdm": _covariances(_fgmdm),
    "csp": _covariances(_csp),
    "tangent_space": _covariances(_tangent_space),
    "ridge": _values(_ridge),
    "mlp_regression": _values(_mlp_regression),
    "rcca": _rcca,
}
