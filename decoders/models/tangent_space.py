"""Logistic regression in the tangent space of covariance matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.decoder import Decoding, Training, Weights
from decoders.linear import LinearClassification, check_classes, check_width, linear_weights
from decoders.prior import towards
from decoders.spd import Logarithm, inverse_root, matrices, n_triangle, symmetric_index
from devices.signal import Signal

__all__ = ["TangentSpace"]


@dataclass(frozen=True)
class TangentSpace:
    r"""Which class is it, by what the covariance of the channels is.

    Covariances are mapped into the tangent space at their Riemannian mean M,
    :math:`S = \log(M^{-1/2} C M^{-1/2})`, where they are classified by logistic regression on
    the upper triangle of S, off-diagonal values times √2 (Barachant et al., "Multiclass
    brain-computer interface classification by Riemannian geometry", IEEE Trans. Biomed. Eng. 59,
    2012). Fitted by pyriemann and scikit-learn. Wants a covariance as the last stage.

    Parameters
    ----------
    c
        Inverse of the strength of the L2 regularisation.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    c: float = 1.0

    def __post_init__(self) -> None:
        if not self.c > 0:
            raise ValueError(f"c must be positive, not {self.c}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from pyriemann.tangentspace import TangentSpace as Mapping
        from sklearn.linear_model import LogisticRegression

        check_classes(training)
        mapping = Mapping(metric="riemann")
        rows = mapping.fit_transform(matrices(training.features))
        model = LogisticRegression(C=self.c, class_weight="balanced", max_iter=5000, tol=1e-8)
        weights = linear_weights(model.fit(rows, training.targets))
        reference = np.asarray(mapping.reference_, np.float64)
        return {**weights, "whitening": inverse_root(reference)}

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Move `weights` towards what `training` says, in the tangent space that they are of.

        See `decoders.prior`. The space moves with the session when `recentre` comes before.
        """
        from pyriemann.tangentspace import TangentSpace as Mapping

        full = matrices(training.features)
        check_width(training.features.shape[1], n_triangle(len(weights["whitening"])))
        white = np.asarray(weights["whitening"], np.float64)
        mapping = Mapping(metric="riemann").fit(np.eye(len(white))[np.newaxis])
        rows = np.asarray(mapping.transform(white @ full @ white), np.float64)
        return towards(weights, rows, training.targets.astype(np.int64), self.c)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        n = len(whitening)
        check_width(signal.n_channels, n_triangle(n))
        # The score of a triangle is that of the whole symmetric matrix, each weight shared by
        # two values; so the live step needs no triangle.
        share = np.where(np.eye(n, dtype=bool), 1.0, math.sqrt(2) / 2).ravel()
        whole = np.asarray(weights["coef"])[:, symmetric_index(n).ravel()] * share
        return LinearClassification(labels, {**weights, "coef": whole}, Logarithm(n, whitening))
