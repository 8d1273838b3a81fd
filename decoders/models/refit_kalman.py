"""ReFIT: a velocity Kalman filter that knows where the cursor is, fitted to what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.numerics.state_space import (
    least_squares,
    numbered,
    plausible,
    shrunk,
    starts,
    steady_state,
)
from decoders.output import Meaning, Output, continuous
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["RefitKalman"]


@dataclass(frozen=True)
class RefitKalman:
    r"""Velocities, by a Kalman filter fitted to where each movement was going.

    Gilja et al., "A high-performance neural prosthesis enabled by control algorithm design", Nat.
    Neurosci. 15, 2012. Two changes to the velocity filter:

    The velocities of the training are turned, their speed kept, towards where the reach went: the
    person meant to go straight. At rest nothing was meant. A reach is a run of rows of one stretch
    that are faster than `rest`; it went to where it ended.

    The cursor's position p, the sum of the velocities since the stretch began, is seen by the
    person and so is no guess: its effect on the features is taken away, and its uncertainty is
    zero:

    .. math:: v_t = A v_{t-1} + w, \quad p_t = p_{t-1} + v_t \Delta t, \quad
        z_t = H v_t + H_p p_{t-1} + h + q

    fitted by least squares, Q as for `kalman`. With no uncertainty of p, the filter settles as
    that of v alone: :math:`v_t = M v_{t-1} + G (z_t - h - H_p p_{t-1})`. The position is kept
    within where the training went, and features as for `kalman`.

    Parameters
    ----------
    rest
        Slower rows are rest: part of the training's highest speed, 0 to 1.
    shrinkage
        0 to 1: how far Q is moved towards its diagonal.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    rest: float = 0.05
    shrinkage: float = 0.05
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        if not 0 <= self.rest < 1 or not 0 <= self.shrinkage <= 1:
            raise ValueError(
                f"refit_kalman needs rest 0 to below 1 and shrinkage 0 to 1; it has rest = "
                f"{self.rest}, shrinkage = {self.shrinkage}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        rows = training.features
        if len(rows) <= 2 * rows.shape[1]:
            raise Mismatch(
                f"{len(rows)} rows are too few to learn how {rows.shape[1]} features vary "
                "together; record more, or use fewer channels"
            )
        step_s = 1 / training.signal.rate_hz
        velocity = training.targets.astype(np.float64)
        position = positions(velocity, training, step_s)
        meant = intended(velocity, position, training, self.rest)
        follows = np.diff(numbered(training)) == 0
        moves = least_squares(meant[:-1][follows], meant[1:][follows])
        moved = meant[1:][follows] - meant[:-1][follows] @ moves.T
        offset = rows.mean(axis=0)
        before = position - velocity * step_s
        known = np.hstack([meant, before])
        middle = known.mean(axis=0)
        tuning = least_squares(known - middle, rows - offset)
        followed = (known - middle) @ tuning.T
        seen = rows - offset - followed
        n = velocity.shape[1]
        noise = shrunk(seen.T @ seen / len(seen), self.shrinkage)
        settled = steady_state(moves, moved.T @ moved / len(moved), tuning[:, :n], noise)
        settled |= plausible(offset, followed.var(axis=0) + np.diag(noise))
        return settled | {
            "offset": offset - tuning @ middle,
            "position_tuning": tuning[:, n:],
            "lowest": position.min(axis=0),
            "highest": position.max(axis=0),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run, the cursor where a stretch begins."""
        check_width(signal.n_channels, weights["gain"].shape[1])
        return _Running(self.mode, labels, unit, weights, 1 / signal.rate_hz)


def positions(
    velocity: NDArray[np.float64], training: Training, step_s: float
) -> NDArray[np.float64]:
    """Return where each row ends, from where its stretch began."""
    whole = np.cumsum(velocity * step_s, axis=0)
    before = np.concatenate([np.zeros((1, velocity.shape[1])), whole])[starts(training)]
    return np.asarray(whole - before[numbered(training)], np.float64)


def intended(
    velocity: NDArray[np.float64],
    position: NDArray[np.float64],
    training: Training,
    rest: float,
) -> NDArray[np.float64]:
    """Return each row's velocity turned towards where its reach ended; at rest zero."""
    speed = np.linalg.norm(velocity, axis=1)
    moving = speed > rest * speed.max()
    edge = np.diff(moving, prepend=False) | (np.diff(numbered(training), prepend=-1) > 0)
    reach = np.cumsum(edge)
    last = np.searchsorted(reach, reach, side="right") - 1
    # From where the row began: the last row of a reach still has its own step to go.
    ahead = position[last] - (position - velocity / training.signal.rate_hz)
    distance = np.linalg.norm(ahead, axis=1)
    far = moving & (distance > 0)
    meant = np.zeros_like(velocity)
    meant[far] = ahead[far] * (speed[far] / distance[far])[:, np.newaxis]
    return meant


class _Running:
    def __init__(
        self, mode: Meaning, labels: tuple[str, ...], unit: str, weights: Weights, step_s: float
    ) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._step_s = step_s
        self._carry = np.ascontiguousarray(weights["carry"], np.float64)
        self._gain = np.ascontiguousarray(weights["gain"], np.float64)
        self._seen_at_rest = self._gain @ np.asarray(weights["offset"], np.float64)
        self._seen_of_position = self._gain @ np.asarray(weights["position_tuning"], np.float64)
        self._lowest = np.asarray(weights["lowest"], np.float64)
        self._highest = np.asarray(weights["highest"], np.float64)
        self._feature_lowest = weights.get("feature_lowest", -np.inf)
        self._feature_highest = weights.get("feature_highest", np.inf)
        self._velocity = np.zeros(len(self._carry))
        self._position = np.clip(0.0, self._lowest, self._highest)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        velocity, position = self._velocity, self._position
        for row in np.clip(chunk.values, self._feature_lowest, self._feature_highest):
            velocity = self._carry @ velocity
            velocity += self._gain @ row
            velocity -= self._seen_at_rest
            velocity -= self._seen_of_position @ position
            position += velocity * self._step_s
            np.maximum(position, self._lowest, out=position)
            np.minimum(position, self._highest, out=position)
        self._velocity = velocity
        return (continuous(self._mode, self._labels, tuple(velocity.tolist()), self._unit),)
