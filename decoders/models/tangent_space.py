"""Logistic regression in the tangent space of covariance matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import (
    LinearClassification,
    check_classes,
    check_width,
    linear_weights,
)
from decoders.classifying.prior import towards
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.spd import (
    Logarithm,
    LogCholesky,
    check_metric,
    coordinates_for,
    inverse_root,
    matrices,
    n_triangle,
    symmetric_index,
)
from decoders.numerics.tangent import logarithms, riemannian_mean, tangents_of_factors, triangles
from devices.signal import Signal

__all__ = ["TangentSpace"]


@dataclass(frozen=True)
class TangentSpace:
    r"""Which class is it, by what the covariance of the channels is.

    Covariances are mapped into the tangent space at their Riemannian mean M,
    :math:`S = \log(M^{-1/2} C M^{-1/2})`, where they are classified by logistic regression on
    the upper triangle of S, off-diagonal values times √2 (Barachant et al., "Multiclass
    brain-computer interface classification by Riemannian geometry", IEEE Trans. Biomed. Eng. 59,
    2012). Fitted by scikit-learn. Wants a covariance as the last stage.

    With ``logchol`` the coordinates are those of the log-Cholesky metric at the identity, once M
    has whitened (see `decoders.numerics.spd.LogCholesky`): without eigenvectors, for many channels.

    Parameters
    ----------
    c
        Inverse of the strength of the L2 regularisation.
    metric
        ``"riemann"`` or ``"logchol"``, of the coordinates; the mean is Riemann's. ``"auto"``:
        ``riemann`` up to 32 channels, ``logchol`` for more.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    c: float = 1.0
    metric: Literal["auto", "riemann", "logchol"] = "auto"

    def __post_init__(self) -> None:
        check_metric(self.metric, ("auto", "riemann", "logchol"))
        if not self.c > 0:
            raise ValueError(f"c must be positive, not {self.c}")

    def chosen(self, signal: Signal) -> TangentSpace:
        """Return it with the metric that rows of `signal` are decoded in time with."""
        if self.metric != "auto":
            return self
        return replace(self, metric=coordinates_for(signal.n_channels))

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        if self.metric == "auto":
            return self.chosen(training.signal).fit(training)
        from sklearn.linear_model import LogisticRegression

        check_classes(training)
        full = matrices(training.features)
        whitening = inverse_root(riemannian_mean(full))
        rows = self._rows(full, whitening)
        model = LogisticRegression(C=self.c, class_weight="balanced", max_iter=5000, tol=1e-8)
        return {**linear_weights(model.fit(rows, training.targets)), "whitening": whitening}

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Move `weights` towards what `training` says, in the tangent space that they are of.

        See `decoders.classifying.prior`. The space moves with the session when `recentre` comes
        before.
        """
        if self.metric == "auto":
            return self.chosen(training.signal).tune(training, weights)
        full = matrices(training.features)
        check_width(training.features.shape[1], n_triangle(len(weights["whitening"])))
        rows = self._rows(full, np.asarray(weights["whitening"], np.float64))
        return towards(weights, rows, training.targets.astype(np.int64), self.c)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        if self.metric == "auto":
            return self.chosen(signal).start(signal, labels, unit, weights)
        whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        n = len(whitening)
        check_width(signal.n_channels, n_triangle(n))
        # The score of a triangle is that of the whole symmetric matrix, each weight shared by
        # two values; so the live step needs no triangle.
        share = np.where(np.eye(n, dtype=bool), 1.0, math.sqrt(2) / 2).ravel()
        whole = np.asarray(weights["coef"])[:, symmetric_index(n).ravel()] * share
        if self.metric == "riemann":
            return LinearClassification(labels, {**weights, "coef": whole}, Logarithm(n, whitening))
        # A symmetric weight sees L + L' as twice what it sees of L.
        return LinearClassification(
            labels, {**weights, "coef": 2 * whole}, LogCholesky(n, whitening)
        )

    def _rows(
        self, full: NDArray[np.float64], whitening: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the coordinates, (k, n (n + 1) / 2), of (k, n, n) covariances."""
        charted = logarithms if self.metric == "riemann" else tangents_of_factors
        return triangles(charted(full, whitening))
