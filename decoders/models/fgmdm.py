"""Minimum distance to the mean behind a geodesic filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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
    root,
    symmetric_index,
)
from devices.signal import Signal

__all__ = ["Fgmdm"]

_TINY = np.finfo(np.float64).tiny
_LARGEST_LOG = 300.0


@dataclass(frozen=True)
class Fgmdm:
    r"""Which class is it, by which mean is nearest once what does not tell the classes is gone.

    Covariances are mapped to the tangent space at their mean M,
    :math:`S = \log(M^{-1/2} C M^{-1/2})`, projected on the directions that a linear discriminant
    analysis finds there, :math:`S' = \sum_j \langle a_j, S \rangle U_j`, mapped back, and compared
    with the classes' means as by `mdm` (Barachant et al., "Riemannian geometry applied to BCI
    classification", LVA/ICA 2010). With ``logeuclid`` the tangent space is
    :math:`S = D(\log C - \log M)`, D the differential of exp at log M (Arsigny et al., SIAM J.
    Matrix Anal. Appl. 29, 2007). Fitted by pyriemann. Wants a covariance as the last stage.

    Parameters
    ----------
    metric
        ``"riemann"`` or ``"logeuclid"``, of means, distances and the tangent space.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    metric: Metric = "riemann"

    def __post_init__(self) -> None:
        check_metric(self.metric)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from pyriemann.classification import FgMDM

        check_classes(training)
        model = FgMDM(metric=self.metric).fit(matrices(training.features), training.targets)
        reference = np.asarray(model._fgda._ts.reference_, np.float64)
        means = model._mdm.covmeans_
        weights = _projection(model, len(reference))
        if self.metric == "riemann":
            back = root(reference)
            return {
                **weights,
                "whitening": inverse_root(reference),
                "to_means": np.stack([inverse_root(mean) @ back for mean in means]),
            }
        middle = logarithm(reference)
        return {
            **_of_logarithms(weights, reference),
            "log_reference": middle,
            "log_means": np.stack([logarithm(mean) - middle for mean in means]),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, n_triangle(weights["directions"].shape[1]))
        distances = _Riemann(weights) if self.metric == "riemann" else _LogEuclid(weights)
        return Classification(labels, distances)


def _projection(model: Any, n: int) -> Weights:
    """Return, as whole symmetric matrices, (k, n, n), what S is weighed by, and what comes of it.

    pyriemann's S is a triangle t with off-diagonal values times √2, and t' = t w' (w w')⁺ w.
    """
    w = np.asarray(model._fgda._lda.coef_, np.float64)
    eye = np.eye(n, dtype=bool)
    share = np.where(eye, 1.0, math.sqrt(0.5))
    whole = w[:, symmetric_index(n)] * share
    back = np.linalg.pinv(w @ w.T)
    return {"weighing": np.tensordot(back, whole, 1), "directions": whole}


def _of_logarithms(weights: Weights, reference: NDArray[np.float64]) -> Weights:
    """Return a projection of S = D(L) as one of L: D is symmetric, so it moves to the weights."""
    from pyriemann.geometry.base import ddexpm, ddlogm

    return {
        "weighing": np.asarray(ddexpm(weights["weighing"], logarithm(reference)), np.float64),
        "directions": np.asarray(ddlogm(weights["directions"], reference), np.float64),
    }


class _Filter:
    """A tangent vector, (n, n) → its part along the directions that tell the classes."""

    def __init__(self, weights: Weights) -> None:
        directions = np.ascontiguousarray(weights["directions"], np.float64)
        self._shape = directions.shape[1:]
        self._directions = directions.reshape(len(directions), -1)
        self._weighing = np.ascontiguousarray(weights["weighing"], np.float64).reshape(
            len(directions), -1
        )

    def __call__(self, tangent: NDArray[np.float64]) -> NDArray[np.float64]:
        along = self._weighing @ tangent.ravel()
        return (along @ self._directions).reshape(self._shape)


class _Riemann:
    def __init__(self, weights: Weights) -> None:
        self._whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        self._filter = _Filter(weights)
        self._unfold = Unfolding(len(self._whitening))
        self._to_means = np.ascontiguousarray(weights["to_means"], np.float64)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        white = self._whitening @ self._unfold(row) @ self._whitening
        values, vectors = np.linalg.eigh(self._filter(logarithm(white)))
        np.clip(values, -_LARGEST_LOG, _LARGEST_LOG, out=values)
        # M_k^(-1/2) C' M_k^(-1/2) = X X', C' = M^(1/2) exp(S') M^(1/2): its eigenvalues are the
        # squares of the singular values of X.
        halves = self._to_means @ (vectors * np.exp(values / 2))
        lengths = np.linalg.eigvalsh(halves @ halves.transpose(0, 2, 1))
        np.maximum(lengths, _TINY, out=lengths)
        np.log(lengths, out=lengths)
        return softmax((-(lengths**2).sum(axis=1)).tolist())


class _LogEuclid:
    """Filtered, mapped back and mapped again: the logarithms' distance is that in the tangent."""

    def __init__(self, weights: Weights) -> None:
        self._reference = np.ascontiguousarray(weights["log_reference"], np.float64)
        self._filter = _Filter(weights)
        self._unfold = Unfolding(len(self._reference))
        self._means = np.ascontiguousarray(weights["log_means"], np.float64)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        filtered = self._filter(logarithm(self._unfold(row)) - self._reference)
        apart = self._means - filtered
        return softmax((-(apart**2).sum(axis=(1, 2))).tolist())
