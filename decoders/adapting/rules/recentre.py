"""Covariances moved back to where they were in the calibration, as they drift away from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground, Learner, Lesson, Seen, State
from decoders.adapting.aligner import ALIGNMENT
from decoders.decoder import Weights
from decoders.numerics.spd import inverse_root, order, symmetric_index
from decoders.numerics.tangent import riemannian_mean
from decoders.stage import Mismatch

__all__ = ["Recentre"]


@dataclass(frozen=True)
class Recentre:
    r"""Follow the mean of the covariances, and move each so that the mean stays where it was.

    .. math:: C' = M^{1/2} R_t^{-1/2} C R_t^{-1/2} M^{1/2}

    with M the mean that the model was fitted around and R_t the running one. Unsupervised: it
    needs neither cues nor labels (Zanini, Congedo, Jutten, Said & Berthoumieu, "Transfer learning:
    a Riemannian geometry framework", IEEE Trans. Biomed. Eng. 65, 2018; running: Kumar, Alawieh,
    Racz, Fakhreddine & Millán, "Transfer learning promotes acquisition of individual BCI skills",
    PNAS Nexus 3, 2024). ``riemann`` moves along the geodesic, :math:`R_{t+1} = R_t^{1/2}
    (R_t^{-1/2} C R_t^{-1/2})^{w} R_t^{1/2}`; ``euclid`` along the line, :math:`R_{t+1} = (1 - w)
    R_t + w C` (He & Wu, "Transfer learning for brain-computer interfaces: a Euclidean space data
    alignment approach", IEEE Trans. Biomed. Eng. 67, 2020). Wants covariances as features and a
    `tangent_space` or `mdm` model.

    Parameters
    ----------
    metric
        ``riemann`` or ``euclid``.
    time_constant_s
        How far back the running mean reaches.
    prior_s
        The mean of the calibration counts like so many seconds at the start.
    every_s
        Seconds between two versions.
    """

    metric: Literal["riemann", "euclid"] = "riemann"
    time_constant_s: float = 120.0
    prior_s: float = 20.0
    every_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.time_constant_s > 0 or not self.prior_s >= 0 or not self.every_s > 0:
            raise ValueError(
                "recentre needs time_constant_s > 0, prior_s >= 0 and every_s > 0; it has "
                f"time_constant_s = {self.time_constant_s}, prior_s = {self.prior_s}, "
                f"every_s = {self.every_s}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            The model knows no mean covariance.
        """
        whitening = ground.weights.get("whitening", ground.weights.get("reference"))
        if whitening is None:
            raise Mismatch(
                "recentre wants a model that knows its mean covariance: tangent_space or mdm"
            )
        if whitening.shape[-1] != order(ground.features.n_channels):
            raise Mismatch("recentre wants covariances as features: put covariance last")
        return _Running(self, ground, np.asarray(whitening, np.float64))


class _Running:
    def __init__(self, recipe: Recentre, ground: Ground, whitening: NDArray[np.float64]) -> None:
        self._recipe = recipe
        means = np.asarray(np.linalg.inv(whitening @ whitening), np.float64)
        self._home: NDArray[np.float64] = means if means.ndim == 2 else riemannian_mean(means)
        self._home_root = _power(self._home, 0.5)
        self._index = symmetric_index(len(self._home))
        self._mean: NDArray[np.float64] = self._home.copy()
        self._longest = max(1.0, recipe.time_constant_s / ground.block_s)
        self._seen = self._prior = recipe.prior_s / ground.block_s
        self._every = max(1, round(recipe.every_s / ground.block_s))
        self._n = 0
        self._first = 0

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        if not self._n:
            self._first = seen.moment.sample
        for row in seen.raw:
            self._move(row.astype(np.float64)[self._index])
        self._n += 1
        if self._n < self._every:
            return None
        n, self._n = self._n * len(seen.raw), 0
        alignment = self._home_root @ inverse_root(self._mean)
        reason = f"recentre: {self._recipe.metric} mean of {n} covariances"
        return Lesson({ALIGNMENT: alignment}, reason, self._first, seen.moment.sample, n, 0)

    def _move(self, covariance: NDArray[np.float64]) -> None:
        self._seen += 1
        weight = 1 / min(self._seen, self._longest)
        if self._recipe.metric == "euclid":
            self._mean += weight * (covariance - self._mean)
            return
        values, vectors = np.linalg.eigh(self._mean)
        root = (vectors * np.sqrt(values)) @ vectors.T
        inverse = (vectors / np.sqrt(values)) @ vectors.T
        between = _power(inverse @ covariance @ inverse, weight)
        self._mean = np.asarray(root @ between @ root)

    def forget(self) -> None:
        self._n = 0

    def state(self) -> State:
        return {"mean": self._mean.copy(), "seen": np.array([self._seen])}

    def restore(self, state: State) -> None:
        self._mean = np.array(state["mean"], np.float64)
        self._seen = float(np.asarray(state["seen"])[0])
        self._n = 0


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, np.finfo(np.float64).tiny)
    return np.asarray((vectors * values**exponent) @ vectors.T)
