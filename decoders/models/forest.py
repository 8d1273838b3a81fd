"""Random forests and extremely randomised trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes
from decoders.classifying.trees import MeanOfTrees, check_fitted_on, flatten, with_width
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Forest"]


@dataclass(frozen=True)
class Forest:
    """Which class is it, by what many decision trees say on average.

    Each tree sees the square root of the features at a question. With the best thresholds, on rows
    drawn with repetition: a random forest (Breiman, Mach. Learn. 45, 2001). With random ones, on
    all rows: extremely randomised trees (Geurts, Ernst & Wehenkel, Mach. Learn. 63, 2006). Each
    class weighs the same. Needs no scaling, and takes no harm from features that mean nothing.
    Fitted by scikit-learn; all trees descend together live.

    Parameters
    ----------
    trees
        How many.
    thresholds
        ``"best"`` or ``"random"``.
    min_leaf
        Rows of the training that a leaf holds at least.
    seed
        Of what is drawn at random.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    trees: int = 200
    thresholds: Literal["best", "random"] = "best"
    min_leaf: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.thresholds not in ("best", "random"):
            raise ValueError(f'thresholds must be "best" or "random", not {self.thresholds!r}')
        if self.trees < 1 or self.min_leaf < 1:
            raise ValueError(
                f"forest needs trees >= 1 and min_leaf >= 1; it has trees = {self.trees}, "
                f"min_leaf = {self.min_leaf}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        check_classes(training)
        family = RandomForestClassifier if self.thresholds == "best" else ExtraTreesClassifier
        model = family(
            n_estimators=self.trees,
            min_samples_leaf=self.min_leaf,
            class_weight="balanced",
            random_state=self.seed,
        )
        model.fit(training.features, training.targets)
        return with_width(flatten([tree.tree_ for tree in model.estimators_]), training)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_fitted_on(signal, weights)
        return Classification(labels, MeanOfTrees(weights, signal.n_channels, np.float32))
