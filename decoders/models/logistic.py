"""Logistic regression on standardised features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.linear import (
    LinearClassification,
    check_classes,
    check_width,
    linear_weights,
)
from decoders.classifying.prior import towards
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Logistic"]


@dataclass(frozen=True)
class Logistic:
    r"""Which class is it, by L2-regularised (multinomial) logistic regression.

    :math:`P(k) \propto \exp(w_k^T (x - m) / s + b_k)`, features standardised by the training's
    mean m and deviation s; both are folded into the weights. Fitted by scikit-learn (lbfgs).

    Parameters
    ----------
    c
        Inverse of the strength of the regularisation.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    c: float = 1.0

    def __post_init__(self) -> None:
        if not self.c > 0:
            raise ValueError(f"c must be positive, not {self.c}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.linear_model import LogisticRegression

        check_classes(training)
        mean = training.features.mean(axis=0)
        scale = training.features.std(axis=0)
        scale[scale == 0] = 1.0
        model = LogisticRegression(C=self.c, class_weight="balanced", max_iter=2000, tol=1e-8)
        model.fit((training.features - mean) / scale, training.targets)
        weights = linear_weights(model)
        coef = weights["coef"] / scale
        return {"coef": coef, "intercept": weights["intercept"] - coef @ mean}

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Move `weights` towards what `training` says; see `decoders.classifying.prior`."""
        check_width(training.features.shape[1], weights["coef"].shape[1])
        return towards(weights, training.features, training.targets.astype(np.int64), self.c)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["coef"].shape[1])
        return LinearClassification(labels, weights)
