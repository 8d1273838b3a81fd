"""Gradient-boosted trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes, softmax
from decoders.classifying.trees import Descent, check_fitted_on, flatten_histogram, with_width
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Boosting"]


@dataclass(frozen=True)
class Boosting:
    r"""Which class is it, by many small trees, each of which mends what those before it got wrong.

    The log-odds of class k are :math:`b_k + \sum_r T_{rk}(x)`, tree :math:`T_{rk}` fitted to the
    gradient of the log loss in round r (Friedman, "Greedy function approximation: a gradient
    boosting machine", Ann. Stat. 29, 2001), on histograms of the features (Ke et al., "LightGBM",
    NIPS 2017). The classes' shares of the training are taken out of :math:`b_k`, so that all are
    equally likely beforehand. Fitted by scikit-learn; all trees descend together live.

    Parameters
    ----------
    rounds
        How many; each has one tree for two classes, else one a class.
    learning_rate
        By how much each round mends.
    leaves
        Of each tree at most.
    min_leaf
        Rows of the training that a leaf holds at least.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    rounds: int = 100
    learning_rate: float = 0.1
    leaves: int = 8
    min_leaf: int = 20

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.leaves < 2 or self.min_leaf < 1 or not self.learning_rate > 0:
            raise ValueError(
                "boosting needs rounds >= 1, learning_rate > 0, leaves >= 2 and min_leaf >= 1; it "
                f"has rounds = {self.rounds}, learning_rate = {self.learning_rate}, leaves = "
                f"{self.leaves}, min_leaf = {self.min_leaf}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        check_classes(training)
        model = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.min_leaf,
            early_stopping=False,
            random_state=0,
        )
        with threadpool_limits(1):  # on a busy machine its threads take seconds to meet
            model.fit(training.features, training.targets)
        trees = flatten_histogram(model._predictors)
        start = np.asarray(model._baseline_prediction, np.float64).ravel()
        # Not by weights of rows: the library's histograms of weighted rows take seconds.
        log_shares = np.log(np.bincount(training.targets.astype(np.int64)))
        start -= log_shares if len(start) > 1 else log_shares[1] - log_shares[0]
        return with_width({**trees, "start": start}, training)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_fitted_on(signal, weights)
        return Classification(labels, _Sum(weights, signal.n_channels))


class _Sum:
    """One row → the sum of the trees, of each class, and its softmax."""

    def __init__(self, weights: Weights, n_features: int) -> None:
        self._descent = Descent(weights, n_features, np.float64)
        self._value = np.asarray(weights["value"], np.float64).ravel()
        self._start = np.asarray(weights["start"], np.float64)
        self._leaves = np.empty((len(weights["roots"]) // len(self._start), len(self._start)))
        self._flat = self._leaves.ravel()

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        self._value.take(self._descent(row), out=self._flat, mode="clip")
        scores: list[float] = (self._leaves.sum(axis=0) + self._start).tolist()
        return softmax(scores if len(scores) > 1 else [0.0, *scores])
