"""Velocity Kalman filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.linear import check_width
from decoders.output import Command, Mode, Output
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Kalman"]

_MOST_STEPS = 10_000
_SETTLED = 1e-13


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
    :math:`M = (I - G H) A`.

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
    mode: Mode = "velocity"

    def __post_init__(self) -> None:
        if self.lag < 0 or not 0 <= self.shrinkage <= 1:
            raise ValueError(
                f"kalman needs lag >= 0 and shrinkage 0 to 1; it has lag = {self.lag}, "
                f"shrinkage = {self.shrinkage}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        values, rows = _lagged(training, self.lag)
        if len(rows) <= 2 * training.features.shape[1]:
            raise Mismatch(
                f"{len(rows)} rows are too few to learn how {training.features.shape[1]} features "
                "vary together; record more, or use fewer channels"
            )
        before, after = _pairs(values, training, self.lag)
        mean = values.mean(axis=0)
        moves = _least_squares(before - mean, after - mean)
        moved = after - mean - (before - mean) @ moves.T
        offset = rows.mean(axis=0)
        tuning = _least_squares(values - mean, rows - offset)
        seen = rows - offset - (values - mean) @ tuning.T
        return _steady_state(
            moves,
            moved.T @ moved / len(moved),
            tuning,
            _shrunk(seen.T @ seen / len(seen), self.shrinkage),
        ) | {"mean": mean, "offset": offset}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["gain"].shape[1])
        return _Running(self.mode, labels, unit, weights)


class _Running:
    def __init__(self, mode: Mode, labels: tuple[str, ...], unit: str, weights: Weights) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._carry = np.ascontiguousarray(weights["carry"], np.float64)
        self._gain = np.ascontiguousarray(weights["gain"], np.float64)
        self._mean = np.asarray(weights["mean"], np.float64)
        self._seen_at_rest = self._gain @ np.asarray(weights["offset"], np.float64)
        self._state = np.zeros(len(self._mean))

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        state = self._state
        for row in chunk.values:
            state = self._carry @ state
            state += self._gain @ row
            state -= self._seen_at_rest
        self._state = state
        values = tuple((state + self._mean).tolist())
        return (Command(self._mode, self._labels, values, self._unit),)


def _starts(training: Training) -> NDArray[np.int64]:
    groups = training.groups
    return np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))


def _lagged(training: Training, lag: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values, and the rows that came `lag` before them, none across groups."""
    inside = np.arange(len(training.groups)) - _starts(training)[_number(training)] >= lag
    at = np.flatnonzero(inside)
    return training.targets[at].astype(np.float64), training.features[at - lag]


def _number(training: Training) -> NDArray[np.int64]:
    """Return 0, 0, …, 1, 1, …: which group, counted, each row is in."""
    return np.searchsorted(_starts(training), np.arange(len(training.groups)), side="right") - 1


def _pairs(
    values: NDArray[np.float64], training: Training, lag: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each value and the one after it, none across groups."""
    number = _number(training)
    inside = np.arange(len(number)) - _starts(training)[number] >= lag
    follows = np.diff(number[inside]) == 0
    return values[:-1][follows], values[1:][follows]


def _least_squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return B, (n_y, n_x), of y ≈ B x; of what x never shows, nothing."""
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0].T, np.float64)


def _shrunk(q: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    diagonal = np.diag(q).copy()
    # A feature that never varied would claim to be exact; it is as noisy as they are on average.
    diagonal[diagonal <= 1e-9 * diagonal.mean()] = max(diagonal.mean(), np.finfo(float).tiny)
    return np.asarray((1 - shrinkage) * (q - np.diag(np.diag(q))) + np.diag(diagonal))


def _steady_state(
    moves: NDArray[np.float64],
    spread: NDArray[np.float64],
    tuning: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Return G and M of the filter that has run for ever.

    Raises
    ------
    Mismatch
        It does not settle.
    """
    weighed = np.linalg.solve(noise, tuning).T
    information = weighed @ tuning
    eye = np.eye(len(moves))
    p = spread
    for _ in range(_MOST_STEPS):
        ahead = moves @ p @ moves.T + spread
        # (ahead⁻¹ + information)⁻¹ without inverting `ahead`, which may be singular.
        new = np.asarray(np.linalg.solve(eye + ahead @ information, ahead), np.float64)
        settled = np.abs(new - p).max() <= _SETTLED * max(np.abs(new).max(), np.finfo(float).tiny)
        p = new
        if settled:
            gain = p @ weighed
            return {"gain": gain, "carry": (eye - gain @ tuning) @ moves}
    raise Mismatch("the Kalman filter does not settle on these targets; are they constant?")
