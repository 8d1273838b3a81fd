"""Minimum distance to the mean behind a geodesic filter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.discriminants import discriminants
from decoders.classifying.linear import LinearClassification, check_classes, check_width, softmax
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.spd import (
    Logarithm,
    LogCholesky,
    check_metric,
    coordinates_for,
    inverse_root,
    matrices,
    n_triangle,
    order,
    symmetric_index,
)
from decoders.numerics.tangent import (
    exponential,
    logarithms,
    riemannian_mean,
    tangents_of_factors,
    triangles,
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
    classification", LVA/ICA 2010; pyriemann's FgMDM). With ``logeuclid`` the tangent space is
    :math:`S = D(\log C - \log M)`, D the differential of exp at log M (Arsigny et al., SIAM J.
    Matrix Anal. Appl. 29, 2007); with ``logchol`` it is the log-Cholesky metric's at the identity,
    once M has whitened (see `decoders.numerics.spd.LogCholesky`): without eigenvectors, for many
    channels. Wants a covariance as the last stage.

    What is mapped back lies flat but with ``riemann``, and with two classes lies on one geodesic:
    distances are then those of the projections' coordinates. Three classes or more with
    ``riemann`` take an eigenvalue problem a class and one more at each step.

    Parameters
    ----------
    metric
        ``"riemann"``, ``"logeuclid"`` or ``"logchol"``, of means, distances and the tangent space.
        ``"auto"``: ``riemann`` up to 32 channels, ``logchol`` for more.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    metric: Literal["auto", "riemann", "logeuclid", "logchol"] = "auto"

    def __post_init__(self) -> None:
        check_metric(self.metric, ("auto", "riemann", "logeuclid", "logchol"))

    def chosen(self, signal: Signal) -> Fgmdm:
        """Return it with the metric that rows of `signal` are decoded in time with."""
        if self.metric != "auto":
            return self
        return replace(self, metric=coordinates_for(signal.n_channels))

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        if self.metric == "auto":
            return self.chosen(training.signal).fit(training)
        check_classes(training)
        rows, space = self._tangents(matrices(training.features))
        w = _directions(rows, training)
        along = rows @ w.T @ np.linalg.pinv(w @ w.T)
        weighing, directions = _whole(w, order(rows.shape[1]))
        weights = self._mapping(space, weighing, directions)
        if self.metric != "riemann" or len(w) == 1:
            return {**weights, "means": _means(along, training)}
        return {**weights, "to_means": _from_geodesics(along, directions, training)}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        if self.metric == "auto":
            return self.chosen(signal).start(signal, labels, unit, weights)
        check_width(signal.n_channels, n_triangle(weights["directions"].shape[1]))
        if "means" in weights:
            if self.metric != "logchol":
                return LinearClassification(labels, _flat(weights), _logarithm(weights))
            whitening = np.ascontiguousarray(weights["whitening"], np.float64)
            chart = LogCholesky(len(whitening), whitening)
            return LinearClassification(labels, _flat(weights), chart)
        return Classification(labels, _Curved(weights))

    def _tangents(
        self, full: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Return the matrices' triangles in the tangent space, and which space that is."""
        if self.metric != "logeuclid":
            whitening = inverse_root(riemannian_mean(full))
            charted = logarithms if self.metric == "riemann" else tangents_of_factors
            return triangles(charted(full, whitening)), {"whitening": whitening}
        from pyriemann.geometry.base import ddexpm

        logs = logarithms(full)
        middle = logs.mean(axis=0)
        return triangles(np.asarray(ddexpm(logs - middle, middle))), {"log_reference": middle}

    def _mapping(
        self,
        space: Mapping[str, NDArray[np.float64]],
        weighing: NDArray[np.float64],
        directions: NDArray[np.float64],
    ) -> dict[str, NDArray[np.float64]]:
        """Return what turns a covariance into coordinates, and coordinates into S'."""
        if self.metric == "riemann":
            return {"weighing": weighing, "directions": directions, **space}
        if self.metric == "logchol":
            # What weighs L + L' weighs L twice; the metric sees each value of L once.
            lengths = np.where(np.eye(directions.shape[1], dtype=bool), 0.5, math.sqrt(0.5))
            return {"weighing": 2 * weighing, "directions": directions * lengths, **space}
        from pyriemann.geometry.base import ddexpm, ddlogm

        # D is symmetric, so what weighs D(L) weighs L once D has been put on it.
        middle = space["log_reference"]
        return {
            "weighing": np.asarray(ddexpm(weighing, middle), np.float64),
            "directions": np.asarray(ddlogm(directions, exponential(middle)), np.float64),
            **space,
        }


def _directions(rows: NDArray[np.float64], training: Training) -> NDArray[np.float64]:
    """Return what tells the classes apart: a row for each, or one for two."""
    w = discriminants(rows, training.targets, len(training.labels), by_size=True).coef
    return w[1:] - w[:1] if len(w) == 2 else w


def _whole(w: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, as whole symmetric matrices, (k, n, n), what S is weighed by, and what comes of it.

    pyriemann's S is a triangle t with off-diagonal values times √2, and t' = t w' (w w')⁺ w.
    """
    share = np.where(np.eye(n, dtype=bool), 1.0, math.sqrt(0.5))
    directions = w[:, symmetric_index(n)] * share
    return np.tensordot(np.linalg.pinv(w @ w.T), directions, 1), directions


def _means(along: NDArray[np.float64], training: Training) -> NDArray[np.float64]:
    classes = range(len(training.labels))
    return np.stack([along[training.targets == k].mean(axis=0) for k in classes])


def _from_geodesics(
    along: NDArray[np.float64], directions: NDArray[np.float64], training: Training
) -> NDArray[np.float64]:
    """Return N_k^(-1/2) of each class, N_k the mean of its filtered matrices as they are at M = I.

    Distances to M^(1/2) N_k M^(1/2) are the same there: the metric does not see M.
    """
    filtered = exponential(np.tensordot(along, directions, 1))
    classes = range(len(training.labels))
    means = [riemannian_mean(filtered[training.targets == k]) for k in classes]
    return np.stack([inverse_root(mean) for mean in means])


def _logarithm(weights: Weights) -> Logarithm:
    """Return what the coordinates are linear in."""
    if "whitening" not in weights:
        return Logarithm(weights["weighing"].shape[1])
    whitening = np.ascontiguousarray(weights["whitening"], np.float64)
    return Logarithm(len(whitening), whitening)


def _flat(weights: Weights) -> Weights:
    """Return what is linear in the logarithm of -|S' - M_k|²; the rest is the same for each class.

    With coordinates x = A L - a, means m_k and the directions' products G it is
    2 m_k' G x - m_k' G m_k.
    """
    directions = np.asarray(weights["directions"], np.float64)
    weighing = np.asarray(weights["weighing"], np.float64).reshape(len(directions), -1)
    means = np.asarray(weights["means"], np.float64)
    weighed = means @ np.tensordot(directions, directions, ((1, 2), (1, 2)))
    intercept = -(weighed * means).sum(axis=1)
    if "log_reference" in weights:
        start = weighing @ np.asarray(weights["log_reference"], np.float64).ravel()
        intercept -= 2 * weighed @ start
    return {"coef": 2 * weighed @ weighing, "intercept": intercept}


class _Curved:
    """One covariance triangle → Riemannian distances, there and back through matrices."""

    def __init__(self, weights: Weights) -> None:
        weighing = np.ascontiguousarray(weights["weighing"], np.float64)
        self._weighing = weighing.reshape(len(weighing), -1)
        self._logarithm = _logarithm(weights)
        self._directions = np.ascontiguousarray(weights["directions"], np.float64)
        self._to_means = np.ascontiguousarray(weights["to_means"], np.float64)

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        along = self._weighing @ self._logarithm(row)
        filtered = np.tensordot(along, self._directions, 1)
        values, vectors = np.linalg.eigh(filtered)
        np.clip(values, -_LARGEST_LOG, _LARGEST_LOG, out=values)
        # N_k^(-1/2) exp(S') N_k^(-1/2) = X X'.
        halves = self._to_means @ (vectors * np.exp(values / 2))
        lengths = np.linalg.eigvalsh(halves @ halves.transpose(0, 2, 1))
        np.maximum(lengths, _TINY, out=lengths)
        np.log(lengths, out=lengths)
        return softmax((-(lengths**2).sum(axis=1)).tolist())
