"""Minimum distance to the mean of covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classification import Classification
from decoders.decoder import Decoding, Training, Weights
from decoders.eigen import eigenvalues_into
from decoders.linear import LinearClassification, check_classes, check_width, softmax
from decoders.spd import (
    Logarithm,
    Metric,
    Unfolding,
    check_metric,
    inverse_root,
    logarithm,
    matrices,
    n_triangle,
)
from devices.signal import Signal

__all__ = ["Mdm"]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Mdm:
    r"""Which class is it, by which class's mean covariance is nearest.

    Distances and means are Riemann's, :math:`d_k^2 = \sum_i \ln^2 \lambda_i(M_k^{-1} C)`
    (Barachant et al., IEEE Trans. Biomed. Eng. 59, 2012), or log-Euclidean,
    :math:`d_k = |\ln C - \ln M_k|` (Arsigny et al., SIAM J. Matrix Anal. Appl. 29, 2007), which
    takes one eigenvalue problem a step instead of one a class: less time from three classes on.
    Probabilities are the softmax of :math:`-d_k^2`, as pyriemann's. Wants a covariance as the last
    stage.

    Parameters
    ----------
    metric
        ``"riemann"`` or ``"logeuclid"``.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    metric: Metric = "riemann"

    def __post_init__(self) -> None:
        check_metric(self.metric)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from pyriemann.classification import MDM

        check_classes(training)
        model = MDM(metric=self.metric).fit(matrices(training.features), training.targets)
        if self.metric == "riemann":
            return {"whitening": np.stack([inverse_root(mean) for mean in model.covmeans_])}
        return {"log_means": np.stack([logarithm(mean) for mean in model.covmeans_])}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        if self.metric == "riemann":
            check_width(signal.n_channels, n_triangle(weights["whitening"].shape[1]))
            return Classification(labels, _Riemann(weights))
        n = weights["log_means"].shape[1]
        check_width(signal.n_channels, n_triangle(n))
        return LinearClassification(labels, _log_euclid(weights), Logarithm(n))


class _Riemann:
    """One covariance triangle → the softmax of -d², from eigenvalues of each class."""

    def __init__(self, weights: Weights) -> None:
        whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        k, n = whitening.shape[:2]
        self._unfold = Unfolding(n)
        self._all, self._whitening = whitening.reshape(k * n, n), list(whitening)
        self._half, self._white = np.empty((2, k, n, n))
        self._all_half = self._half.reshape(k * n, n)
        self._values, self._minus = np.empty((k, n)), np.full(n, -1.0)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        np.dot(self._all, self._unfold(row), out=self._all_half)
        for half, whitening, white in zip(self._half, self._whitening, self._white, strict=True):
            np.dot(half, whitening, out=white)
        values = self._values
        eigenvalues_into(self._white, values)
        np.maximum(values, _TINY, out=values)
        np.log(values, out=values)
        np.multiply(values, values, out=values)
        return softmax(np.dot(values, self._minus).tolist())


def _log_euclid(weights: Weights) -> Weights:
    """Return what is linear in ln C of -|ln C - ln M_k|²; the rest is the same for each class."""
    means = np.asarray(weights["log_means"], np.float64)
    means = means.reshape(len(means), -1)
    return {"coef": 2 * means, "intercept": -(means**2).sum(axis=1)}
