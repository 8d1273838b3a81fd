"""Velocity Kalman filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.numerics.state_space import (
    lagged,
    least_squares,
    pairs,
    plausible,
    shrunk,
    steady_state,
)
from decoders.output import Meaning, Output, continuous
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Kalman"]

_MOST_TO_ADAPT = 512


@dataclass(frozen=True)
class Kalman:
    r"""Continuous values that move as they moved in training, seen through the features.

    .. math:: v_t = A v_{t-1} + w, \quad w \sim N(0, W), \qquad
        z_t = H v_t + h + q, \quad q \sim N(0, Q)

    fitted by least squares (Wu et al., "Bayesian population decoding of motor cortical activity
    using a Kalman filter", Neural Comput. 18, 2006; velocity only: Kim et al., J. Neural Eng. 5,
    2008). Q is the full covariance of the residuals, shrunk towards its diagonal. The covariance
    of the estimate depends on the model alone, so the filter starts with the gain that it would
    settle at (Malik et al., IEEE Trans. Neural Syst. Rehabil. Eng. 19, 2011), computed once in
    information form: :math:`P^{-1} = (A P A^T + W)^{-1} + H^T Q^{-1} H`. The live step is then
    :math:`v_t = M v_{t-1} + G (z_t - h)` with :math:`G = P H^T Q^{-1}` and
    :math:`M = (I - G H) A`. A feature counts as at most ten deviations from its mean: so neither
    an artefact nor the first spike of a unit that was silent in training throws the filter.

    Parameters
    ----------
    lag
        Rows by which the features run ahead of the values.
    shrinkage
        0 to 1: how far Q is moved towards its diagonal.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    lag: int = 0
    shrinkage: float = 0.05
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        if self.lag < 0 or not 0 <= self.shrinkage <= 1:
            raise ValueError(
                f"kalman needs lag >= 0 and shrinkage 0 to 1; it has lag = {self.lag}, "
                f"shrinkage = {self.shrinkage}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        values, rows = lagged(training, self.lag)
        if len(rows) <= 2 * training.features.shape[1]:
            raise Mismatch(
                f"{len(rows)} rows are too few to learn how {training.features.shape[1]} features "
                "vary together; record more, or use fewer channels"
            )
        before, after = pairs(values, training, self.lag)
        mean = values.mean(axis=0)
        moves = least_squares(before - mean, after - mean)
        moved = after - mean - (before - mean) @ moves.T
        offset = rows.mean(axis=0)
        tuning = least_squares(values - mean, rows - offset)
        meant = (values - mean) @ tuning.T
        seen = rows - offset - meant
        spread = moved.T @ moved / len(moved)
        noise = shrunk(seen.T @ seen / len(seen), self.shrinkage)
        weights = steady_state(moves, spread, tuning, noise) | {"mean": mean, "offset": offset}
        weights |= plausible(offset, meant.var(axis=0) + np.diag(noise))
        if rows.shape[1] > _MOST_TO_ADAPT:
            return weights
        # Not needed to decode, but to go on learning: see `decoders.adapting.rules.smooth_batch`.
        return weights | {"moves": moves, "spread": spread, "tuning": tuning, "noise": noise}

    def blank(self, n_features: int, n_values: int) -> Weights:
        """Return the weights of a filter that knows nothing: it says 0 until it has learned."""
        return {
            "gain": np.zeros((n_values, n_features)),
            "carry": np.zeros((n_values, n_values)),
            "mean": np.zeros(n_values),
            "offset": np.zeros(n_features),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["gain"].shape[1])
        return _Running(self.mode, labels, unit, weights)


class _Running:
    def __init__(self, mode: Meaning, labels: tuple[str, ...], unit: str, weights: Weights) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._carry = np.ascontiguousarray(weights["carry"], np.float64)
        self._gain = np.ascontiguousarray(weights["gain"], np.float64)
        self._mean = np.asarray(weights["mean"], np.float64)
        self._seen_at_rest = self._gain @ np.asarray(weights["offset"], np.float64)
        self._feature_lowest = weights.get("feature_lowest", -np.inf)  # unknown before a fit
        self._feature_highest = weights.get("feature_highest", np.inf)
        self._state = np.zeros(len(self._mean))

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        state = self._state
        for row in np.clip(chunk.values, self._feature_lowest, self._feature_highest):
            state = self._carry @ state
            state += self._gain @ row
            state -= self._seen_at_rest
        self._state = state
        values = tuple((state + self._mean).tolist())
        return (continuous(self._mode, self._labels, values, self._unit),)
