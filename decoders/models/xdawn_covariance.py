"""xDAWN covariances: an epoch beside the mean responses, in tangent space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import (
    LinearClassification,
    check_classes,
    check_width,
    linear_weights,
)
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.spd import Logarithm, inverse_root, symmetric_index
from decoders.numerics.tangent import logarithms, riemannian_mean, triangles
from decoders.rows.epochs import epochs, xdawn_filters
from devices.signal import Signal

__all__ = ["XdawnCovariance"]


@dataclass(frozen=True)
class XdawnCovariance:
    r"""Which class is it, by how an epoch varies together with the mean response to each class.

    Epochs, seen through the xDAWN filters of each class, are put beside the mean responses, each
    through its own filters; the covariance of both, shrunk, holds how like they are. It goes into
    the tangent space at the Riemannian mean and is classified by logistic regression (Barachant &
    Congedo, "A plug&play P300 BCI using information geometry", arXiv 1409.0107, 2014; the winner
    of several competitions). Fitted by pyriemann and scikit-learn. Wants `epoch` as the last
    stage.

    Parameters
    ----------
    filters
        How many mixes of channels are kept for each class.
    shrinkage
        0 to 1: how far each covariance is shrunk towards a multiple of the identity.
    c
        Inverse of the strength of the L2 regularisation.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    filters: int = 2
    shrinkage: float = 0.1
    c: float = 1.0

    def __post_init__(self) -> None:
        if self.filters < 1 or not 0 < self.shrinkage <= 1 or not self.c > 0:
            raise ValueError(
                "xdawn_covariance needs filters >= 1, 0 < shrinkage <= 1 and c > 0; it has "
                f"filters = {self.filters}, shrinkage = {self.shrinkage}, c = {self.c}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.linear_model import LogisticRegression

        check_classes(training)
        filters, prototypes = xdawn_filters(training, self.filters)
        whole = epochs(training.features, filters.shape[1])
        covariances = _covariances(filters @ whole, prototypes, self.shrinkage)
        whitening = inverse_root(riemannian_mean(covariances))
        rows = triangles(logarithms(covariances, whitening))
        regression = LogisticRegression(C=self.c, class_weight="balanced", max_iter=5000, tol=1e-8)
        weights = linear_weights(regression.fit(rows, training.targets))
        n = covariances.shape[1]
        share = np.where(np.eye(n, dtype=bool), 1.0, math.sqrt(2) / 2).ravel()
        return {
            **weights,
            "coef": np.asarray(weights["coef"])[:, symmetric_index(n).ravel()] * share,
            "filters": filters,
            "prototypes": prototypes,
            "whitening": whitening,
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        n_steps = weights["prototypes"].shape[1]
        check_width(signal.n_channels, weights["filters"].shape[1] * n_steps)
        return LinearClassification(labels, weights, _Tangent(weights, self.shrinkage))


def _covariances(
    seen: NDArray[np.float64], prototypes: NDArray[np.float64], shrinkage: float
) -> NDArray[np.float64]:
    """Return (n, m, m): the shrunk covariance of the mean responses and each epoch together."""
    beside = np.broadcast_to(prototypes, (len(seen), *prototypes.shape))
    both = np.concatenate([beside, seen], axis=1)
    both = both - both.mean(axis=2, keepdims=True)
    covariances = both @ both.transpose(0, 2, 1) / both.shape[2]
    m = covariances.shape[1]
    traces = np.trace(covariances, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
    return np.asarray((1 - shrinkage) * covariances + shrinkage * traces / m * np.eye(m))


class _Tangent:
    """One epoch → the logarithm of its covariance, whitened, flattened.

    What `_covariances` gives, in the same memory each time: the mean responses stay there.
    """

    def __init__(self, weights: Weights, shrinkage: float) -> None:
        self._filters = np.ascontiguousarray(weights["filters"], np.float64)
        whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        prototypes = np.asarray(weights["prototypes"], np.float64)
        n, n_steps = len(whitening), prototypes.shape[1]
        self._both = np.empty((n, n_steps))
        self._both[: len(prototypes)] = prototypes - prototypes.mean(axis=1, keepdims=True)
        self._seen = self._both[len(prototypes) :]
        self._covariance = np.empty((n, n))
        self._diagonal = self._covariance.ravel()[:: n + 1]
        self._scale = (1 - shrinkage) / n_steps
        self._sum_to_mean = shrinkage / (n_steps * n)
        self._logarithm = Logarithm(n, whitening)

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        seen, both, covariance = self._seen, self._both, self._covariance
        np.dot(self._filters, row.reshape(self._filters.shape[1], -1), out=seen)
        seen -= seen.mean(axis=1, keepdims=True)
        np.dot(both, both.T, out=covariance)
        added = self._diagonal.sum() * self._sum_to_mean
        covariance *= self._scale
        self._diagonal += added
        return self._logarithm.of(covariance)
