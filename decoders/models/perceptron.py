"""The linear perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes, check_width
from decoders.classifying.platt import LinearPlatt, fit_calibrated, folded
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Perceptron"]


@dataclass(frozen=True)
class Perceptron:
    """Which class is it, by lines that were moved at each row on their wrong side.

    Rosenblatt's rule (Psychol. Rev. 65, 1958), each class against the rest, on standardised
    features, in an order drawn with a fixed seed; sigmoids turn the decision values into
    probabilities (see `decoders.classifying.platt`). The simplest that learns: `logistic` and `svm`
    do better where classes overlap. Fitted by scikit-learn.

    Parameters
    ----------
    alpha
        Strength of an L2 penalty; 0: none, as Rosenblatt's.
    epochs
        Passes over the training at most.
    seed
        Of the order.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    alpha: float = 0.0
    epochs: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.alpha >= 0 or self.epochs < 1:
            raise ValueError(
                f"perceptron needs alpha >= 0 and epochs >= 1; it has alpha = {self.alpha}, "
                f"epochs = {self.epochs}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.linear_model import Perceptron as Library
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        check_classes(training)
        machine = Library(
            penalty="l2" if self.alpha else None,
            alpha=self.alpha or 1e-4,
            max_iter=self.epochs,
            class_weight="balanced",
            random_state=self.seed,
        )
        fitted, sigmoids = fit_calibrated(make_pipeline(StandardScaler(), machine), training)
        return {**folded(fitted), **sigmoids}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["coef"].shape[1])
        return Classification(labels, LinearPlatt(weights))
