"""Support vector machines, linear or with Gaussian kernels, with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes, check_width
from decoders.classifying.platt import LinearPlatt, Platt, fit_calibrated, folded
from decoders.decoder import Decoding, Training, Weights
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Svm"]


@dataclass(frozen=True)
class Svm:
    r"""Which class is it, by the widest margin between each class and the rest.

    Decision values are :math:`w_k^T x + b_k`, or with Gaussian kernels
    :math:`\sum_i c_{ki} \exp(-\gamma |x - x_i|^2) + b_k` over the support vectors :math:`x_i`
    (Cortes & Vapnik, Mach. Learn. 20, 1995), of features standardised by the training's mean and
    deviation. Sigmoids turn them into probabilities (see `decoders.classifying.platt`). Fitted by
    scikit-learn: liblinear with squared hinge loss, or libsvm.

    Parameters
    ----------
    kernel
        ``"linear"``, or ``"rbf"`` for Gaussian kernels: for few rows.
    c
        Inverse of the strength of the regularisation.
    gamma
        Of the Gaussian kernels, in standardised units; 0: one over the number of features.
    most_rows
        Gaussian kernels are refused on more rows than so many: each may become a support vector,
        and the time of the live step grows with them.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    kernel: Literal["linear", "rbf"] = "linear"
    c: float = 1.0
    gamma: float = 0.0
    most_rows: int = 3000

    def __post_init__(self) -> None:
        if self.kernel not in ("linear", "rbf"):
            raise ValueError(f'kernel must be "linear" or "rbf", not {self.kernel!r}')
        if not self.c > 0 or not self.gamma >= 0 or self.most_rows < 1:
            raise ValueError(
                "svm needs c > 0, gamma >= 0 and most_rows >= 1; it has "
                f"c = {self.c}, gamma = {self.gamma}, most_rows = {self.most_rows}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        check_classes(training)
        if self.kernel == "rbf" and len(training.features) > self.most_rows:
            raise Mismatch(
                f"{len(training.features)} rows are too many for Gaussian kernels (most_rows = "
                f'{self.most_rows}); use kernel = "linear", a longer hop, or shorter trials'
            )
        whole = make_pipeline(StandardScaler(), self._machine(training))
        fitted, sigmoids = fit_calibrated(whole, training)
        if self.kernel == "linear":
            return {**folded(fitted), **sigmoids}
        scaler, machines = fitted[0], fitted[1].estimators_
        return {
            "mean": np.asarray(scaler.mean_, np.float64),
            "scale": np.asarray(scaler.scale_, np.float64),
            **_vectors(machines),
            **sigmoids,
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        linear = self.kernel == "linear"
        check_width(signal.n_channels, weights["coef" if linear else "vectors"].shape[1])
        return Classification(labels, LinearPlatt(weights) if linear else _Gaussian(weights))

    def _machine(self, training: Training) -> Any:
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "linear":
            return LinearSVC(
                C=self.c, class_weight="balanced", dual="auto", random_state=0, max_iter=5000
            )
        gamma = self.gamma or 1 / training.features.shape[1]
        return OneVsRestClassifier(SVC(C=self.c, gamma=gamma, class_weight="balanced"))


def _vectors(machines: Sequence[Any]) -> Weights:
    """Return the support vectors of all machines, each once, and the machines' coefficients."""
    used = np.unique(np.concatenate([m.support_ for m in machines]))
    vectors = np.empty((len(used), machines[0].support_vectors_.shape[1]))
    coef = np.zeros((len(machines), len(used)))
    for k, machine in enumerate(machines):
        at = np.searchsorted(used, machine.support_)
        vectors[at] = machine.support_vectors_
        coef[k, at] = machine.dual_coef_[0]
    return {
        "vectors": vectors,
        "dual_coef": coef,
        "intercept": np.array([m.intercept_[0] for m in machines], np.float64),
        "gamma": np.array([machines[0].gamma], np.float64),
    }


class _Gaussian:
    def __init__(self, weights: Weights) -> None:
        self._mean = np.asarray(weights["mean"], np.float64)
        self._scale = np.asarray(weights["scale"], np.float64)
        self._gamma = float(np.asarray(weights["gamma"])[0])
        self._vectors = np.ascontiguousarray(weights["vectors"], np.float64)
        self._lengths = (self._vectors**2).sum(axis=1)
        self._coef = np.ascontiguousarray(weights["dual_coef"], np.float64)
        self._intercept = np.asarray(weights["intercept"], np.float64)
        self._platt = Platt(weights)
        self._kernels = np.empty(len(self._vectors))

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        x = (row - self._mean) / self._scale
        k = self._kernels
        np.matmul(self._vectors, x, out=k)
        k *= 2.0
        k -= self._lengths
        k -= x @ x
        np.minimum(k, 0.0, out=k)  # minus a squared distance; rounding may lift it above 0
        k *= self._gamma
        np.exp(k, out=k)
        return self._platt(self._coef @ k + self._intercept)
