"""A decision tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes
from decoders.classifying.trees import MeanOfTrees, check_fitted_on, flatten, with_width
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Tree"]


@dataclass(frozen=True)
class Tree:
    """Which class is it, by a few questions in turn, each whether a feature is above a threshold.

    Grown by the Gini impurity (Breiman, Friedman, Olshen & Stone, "Classification and regression
    trees", 1984), each class weighing the same; probabilities are the classes' shares of the leaf.
    Easy to read, and weaker than a `forest`. Fitted by scikit-learn.

    Parameters
    ----------
    max_depth
        Questions at most; 0: as many as tell the training apart.
    min_leaf
        Rows of the training that a leaf holds at least.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    max_depth: int = 5
    min_leaf: int = 5

    def __post_init__(self) -> None:
        if self.max_depth < 0 or self.min_leaf < 1:
            raise ValueError(
                f"tree needs max_depth >= 0 and min_leaf >= 1; it has max_depth = "
                f"{self.max_depth}, min_leaf = {self.min_leaf}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.tree import DecisionTreeClassifier

        check_classes(training)
        model = DecisionTreeClassifier(
            max_depth=self.max_depth or None,
            min_samples_leaf=self.min_leaf,
            class_weight="balanced",
            random_state=0,
        )
        model.fit(training.features, training.targets)
        return with_width(flatten([model.tree_]), training)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_fitted_on(signal, weights)
        return Classification(labels, MeanOfTrees(weights, signal.n_channels, np.float32))
