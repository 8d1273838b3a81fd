r"""Probabilities from decision values, by sigmoids fitted on trials that were left out.

:math:`p_k = 1 / (1 + \exp(a_k s_k + b_k))` for the decision value s of each class against the
rest; more than two classes: divided by their sum (Platt, "Probabilistic outputs for support vector
machines", Advances in Large Margin Classifiers, 1999, with the targets and the solver of Lin, Lin
& Weng, Mach. Learn. 68, 2007; more classes: Zadrozny & Elkan, KDD 2002). The decision values that
a and b are fitted on are of trials that the model was not fitted on: those of its own trials lie
too far apart.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.rows.folds import trial_folds
from decoders.stage import Mismatch

__all__ = ["LinearPlatt", "Platt", "fit_calibrated", "folded", "splits"]

_FOLDS = 5


def splits(training: Training) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return rows to fit on and rows left out, a fold; whole trials are left out.

    Raises
    ------
    Mismatch
        A class has one trial only.
    """
    folds = list(trial_folds(training, _FOLDS))
    if len(folds) < 2:
        raise Mismatch(
            "probabilities are calibrated on trials left out, so each class needs two trials or "
            "more. Record more trials"
        )
    return [(np.flatnonzero(~out), np.flatnonzero(out)) for out in folds]


def fit_calibrated(model: Any, training: Training) -> tuple[Any, Weights]:
    """Fit a scikit-learn classifier that has decision values, and the sigmoids behind them.

    Returns
    -------
    The fitted classifier, and ``slope`` and ``offset``, (n_scores,): one for two classes, else one
    a class.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.exceptions import ConvergenceWarning

    whole = CalibratedClassifierCV(model, method="sigmoid", cv=splits(training), ensemble=False)
    with warnings.catch_warnings():
        # Where classes overlap, the last steps of these solvers are many and change nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        (fitted,) = whole.fit(training.features, training.targets).calibrated_classifiers_
    return fitted.estimator, {
        "slope": np.array([c.a_ for c in fitted.calibrators], np.float64),
        "offset": np.array([c.b_ for c in fitted.calibrators], np.float64),
    }


class Platt:
    """Decision values → probabilities.

    Parameters
    ----------
    weights
        ``slope`` and ``offset``.
    """

    def __init__(self, weights: Weights) -> None:
        self._slope = np.asarray(weights["slope"], np.float64)
        self._offset = np.asarray(weights["offset"], np.float64)

    def __call__(self, scores: NDArray[np.float64]) -> Sequence[float]:
        """Return one probability a class, of (n_scores,) decision values."""
        each = [_sigmoid(-z) for z in (scores * self._slope + self._offset).tolist()]
        if len(each) == 1:
            return (1.0 - each[0], each[0])
        total = math.fsum(each)
        if total == 0:
            return (1 / len(each),) * len(each)
        return [p / total for p in each]


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    power = math.exp(max(z, -745.0))
    return power / (1 + power)


def folded(pipeline: Any) -> Weights:
    """Return a fitted scaler and linear machine as weights of the features as they come."""
    scaler, machine = (step for _, step in pipeline.steps)
    coef = np.asarray(machine.coef_, np.float64) / scaler.scale_
    return {"coef": coef, "intercept": machine.intercept_ - coef @ scaler.mean_}


class LinearPlatt:
    """One row of features → decision values linear in it → probabilities.

    Parameters
    ----------
    weights
        What `folded` returned, with ``slope`` and ``offset``.
    """

    def __init__(self, weights: Weights) -> None:
        self._coef = np.ascontiguousarray(weights["coef"], np.float64)
        self._intercept = np.asarray(weights["intercept"], np.float64)
        self._platt = Platt(weights)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        """Return one probability a class, of (n_features,)."""
        return self._platt(self._coef @ row + self._intercept)
