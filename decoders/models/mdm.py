"""Minimum distance to the mean of covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.linear import LinearClassification, check_classes, check_width, softmax
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.eigen import eigenvalues_into
from decoders.numerics.spd import (
    Logarithm,
    LogCholesky,
    Unfolding,
    check_metric,
    coordinates_for,
    inverse_root,
    matrices,
    n_triangle,
)
from decoders.numerics.tangent import factors, logarithms, riemannian_mean
from devices.signal import Signal

__all__ = ["Mdm"]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Mdm:
    r"""Which class is it, by which class's mean covariance is nearest.

    Distances and means are Riemann's, :math:`d_k^2 = \sum_i \ln^2 \lambda_i(M_k^{-1} C)`
    (Barachant et al., IEEE Trans. Biomed. Eng. 59, 2012), or log-Euclidean,
    :math:`d_k = |\ln C - \ln M_k|` (Arsigny et al., SIAM J. Matrix Anal. Appl. 29, 2007), which
    takes one eigenvalue problem a step instead of one a class: less time from three classes on; or
    log-Cholesky where the Riemannian mean of all has whitened (see
    `decoders.numerics.spd.LogCholesky`), which takes none. Probabilities are the softmax of
    :math:`-d_k^2`, as pyriemann's. Wants a covariance as the last stage.

    Parameters
    ----------
    metric
        ``"riemann"``, ``"logeuclid"`` or ``"logchol"``. ``"auto"``: ``riemann`` up to 32
        channels, ``logchol`` for more.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    metric: Literal["auto", "riemann", "logeuclid", "logchol"] = "auto"

    def __post_init__(self) -> None:
        check_metric(self.metric, ("auto", "riemann", "logeuclid", "logchol"))

    def chosen(self, signal: Signal) -> Mdm:
        """Return it with the metric that rows of `signal` are decoded in time with."""
        if self.metric != "auto":
            return self
        return replace(self, metric=coordinates_for(signal.n_channels))

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        if self.metric == "auto":
            return self.chosen(training.signal).fit(training)
        check_classes(training)
        full = matrices(training.features)
        classes = [full[training.targets == k] for k in range(len(training.labels))]
        if self.metric == "riemann":
            return {"whitening": np.stack([inverse_root(riemannian_mean(c)) for c in classes])}
        if self.metric == "logchol":
            whitening = inverse_root(riemannian_mean(full))
            means = np.stack([factors(c, whitening).mean(axis=0) for c in classes])
            return {"factors": means, "reference": whitening}
        return {"log_means": np.stack([logarithms(c).mean(axis=0) for c in classes])}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        if self.metric == "auto":
            return self.chosen(signal).start(signal, labels, unit, weights)
        if self.metric == "riemann":
            check_width(signal.n_channels, n_triangle(weights["whitening"].shape[1]))
            return Classification(labels, _Riemann(weights))
        is_whitened = self.metric == "logchol"
        means = weights["factors" if is_whitened else "log_means"]
        n = means.shape[1]
        check_width(signal.n_channels, n_triangle(n))
        if not is_whitened:
            return LinearClassification(labels, _nearest(means), Logarithm(n))
        whitening = np.ascontiguousarray(weights["reference"], np.float64)
        return LinearClassification(labels, _nearest(means), LogCholesky(n, whitening))


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


def _nearest(means: NDArray[np.generic]) -> Weights:
    """Return what is linear in x of -|x - m_k|²; the rest is the same for each class."""
    flat = np.asarray(means, np.float64).reshape(len(means), -1)
    return {"coef": 2 * flat, "intercept": -(flat**2).sum(axis=1)}
