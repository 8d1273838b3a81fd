"""Minimum distance to the mean of covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classification import Classification
from decoders.decoder import Decoding, Training, Weights
from decoders.linear import check_classes, check_width, softmax
from decoders.spd import (
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
        check_width(signal.n_channels, n_triangle(weights["log_means"].shape[1]))
        return Classification(labels, _LogEuclid(weights))


class _Riemann:
    def __init__(self, weights: Weights) -> None:
        self._whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        self._unfold = Unfolding(self._whitening.shape[1])
        self._half, self._white = np.empty((2, *self._whitening.shape))

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        np.matmul(self._whitening, self._unfold(row), out=self._half)
        np.matmul(self._half, self._whitening, out=self._white)
        values = np.linalg.eigvalsh(self._white)
        np.maximum(values, _TINY, out=values)
        np.log(values, out=values)
        values *= values
        return softmax((-values.sum(axis=1)).tolist())


class _LogEuclid:
    def __init__(self, weights: Weights) -> None:
        means = np.ascontiguousarray(weights["log_means"], np.float64)
        self._unfold = Unfolding(means.shape[1])
        self._means = means.reshape(len(means), -1)
        self._apart = np.empty_like(self._means)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        np.subtract(self._means, logarithm(self._unfold(row)).ravel(), out=self._apart)
        np.multiply(self._apart, self._apart, out=self._apart)
        return softmax((-self._apart.sum(axis=1)).tolist())
