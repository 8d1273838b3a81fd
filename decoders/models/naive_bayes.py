"""Gaussian naive Bayes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes, check_width, softmax
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["NaiveBayes"]


@dataclass(frozen=True)
class NaiveBayes:
    r"""Which class is it, if the features of a class vary independently of each other.

    :math:`\ln p(x | k) = -\frac12 \sum_i \ln 2 \pi \sigma_{ki}^2 + (x_i - \mu_{ki})^2 /
    \sigma_{ki}^2`, the classes equally likely beforehand (Hastie, Tibshirani & Friedman, "The
    elements of statistical learning", 2009, 6.6.3). Features that vary together make it too sure
    of itself. Fitted by scikit-learn.

    Parameters
    ----------
    smoothing
        Part of the largest variance of a feature that is added to all variances.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    smoothing: float = 1e-9

    def __post_init__(self) -> None:
        if not self.smoothing > 0:
            raise ValueError(f"smoothing must be positive, not {self.smoothing}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.naive_bayes import GaussianNB

        check_classes(training)
        k = len(training.labels)
        model = GaussianNB(priors=np.full(k, 1 / k), var_smoothing=self.smoothing)
        model.fit(training.features, training.targets)
        # Where no feature ever varies, there is nothing to smooth with.
        variance = np.maximum(model.var_, np.finfo(np.float64).tiny ** 0.5)
        return {"mean": np.asarray(model.theta_, np.float64), "variance": variance}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["mean"].shape[1])
        return Classification(labels, _Gaussians(weights))


class _Gaussians:
    def __init__(self, weights: Weights) -> None:
        variance = np.asarray(weights["variance"], np.float64)
        self._mean = np.asarray(weights["mean"], np.float64)
        self._precision = np.sqrt(0.5 / variance)
        self._start = -0.5 * np.log(2 * np.pi * variance).sum(axis=1)
        self._apart = np.empty_like(self._mean)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        apart = self._apart
        np.subtract(row, self._mean, out=apart)
        apart *= self._precision
        apart *= apart
        return softmax((self._start - apart.sum(axis=1)).tolist())
