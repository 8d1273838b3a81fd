"""Ridge regression that goes on learning, from where it was calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from decoders.adapting.adaptation import Ground, Learner, Lesson, Seen, State
from decoders.adapting.rows import Batch, meant
from decoders.decoder import Weights
from decoders.stage import Mismatch

__all__ = ["RecursiveRidge"]


@dataclass(frozen=True)
class RecursiveRidge:
    r"""Least squares over all rows so far, old ones forgotten, tied to the calibrated weights.

    .. math:: \min_W \sum_i \lambda^{t-i} |y_i - W x_i|^2 + n_0 s^2 |W - W_0|^2

    solved from its sums :math:`\sum \lambda^{t-i} x_i x_i^T` and :math:`\sum \lambda^{t-i} y_i
    x_i^T`: recursive least squares with a prior that does not fade, so that it cannot wind up when
    nothing moves (Haykin, *Adaptive Filter Theory*, 2002, ch. 10; on intracortical decoders:
    Gürel & Mehring, "Unsupervised adaptation of brain-machine interface decoders", Front. Neurosci.
    6, 2012). W_0 are the calibrated weights with their intercept; s² is the mean square of a
    feature. What was meant follows from targets (see ``intent``), or is told in values by feedback
    of the kind label. Wants a `ridge` model.

    Parameters
    ----------
    every_s
        Seconds of rows between two versions.
    half_life_s
        After so many seconds of rows, they count half; 0: all count alike.
    prior_s
        n_0, in seconds of rows: how much the calibrated weights count.
    intent
        With a target: ``rotate`` what was decoded towards it (Gilja et al., Nat. Neurosci. 15,
        2012), or ``goal``: towards it at `speed`.
    radius
        Within so much of the target nothing was meant; in the unit of positions.
    reaction_s
        So long after a new target is told, rows do not count: nobody moves towards it yet.
    speed, near
        For ``goal``: the speed, and the distance from which on it slows down.
    """

    every_s: float = 5.0
    half_life_s: float = 0.0
    prior_s: float = 10.0
    intent: Literal["rotate", "goal"] = "rotate"
    radius: float = 0.0
    reaction_s: float = 0.2
    speed: float = 0.2
    near: float = 0.05

    def __post_init__(self) -> None:
        if not self.every_s > 0 or not self.prior_s > 0 or not self.half_life_s >= 0:
            raise ValueError(
                "recursive_ridge needs every_s > 0, prior_s > 0 and half_life_s >= 0; it has "
                f"every_s = {self.every_s}, prior_s = {self.prior_s}, "
                f"half_life_s = {self.half_life_s}"
            )
        if not self.radius >= 0 or not self.speed > 0 or not self.near > 0:
            raise ValueError(
                f"radius must be 0 or more, speed and near positive, not {self.radius}, "
                f"{self.speed}, {self.near}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            It is no ridge model.
        """
        history = getattr(ground.decoder, "history", 0)
        if ground.decoder.task != "continuous" or not history or "coef" not in ground.weights:
            raise Mismatch("recursive_ridge wants a model of kind ridge")
        return _Running(self, ground, history)


class _Running:
    def __init__(self, recipe: RecursiveRidge, ground: Ground, history: int) -> None:
        self._recipe = recipe
        coef = np.asarray(ground.weights["coef"], np.float64)
        intercept = np.asarray(ground.weights["intercept"], np.float64)
        self._prior = np.column_stack([coef, intercept])
        self._batch = Batch(ground, history, recipe.reaction_s)
        self._every = max(1, round(recipe.every_s / ground.block_s))
        self._prior_rows = recipe.prior_s / ground.block_s
        life = recipe.half_life_s / ground.block_s
        self._forget = 0.5 ** (1.0 / life) if life else 1.0
        n = self._prior.shape[1]
        self._xx, self._xy = np.zeros((n, n)), np.zeros((len(coef), n))
        self._n = 0.0

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        batch = self._batch
        batch.take(seen)
        if len(batch) < self._every:
            return None
        rows, decoded, positions, targets, told = batch.arrays()
        recipe = self._recipe
        y = meant(
            recipe.intent, decoded, targets - positions, recipe.radius, recipe.speed, recipe.near
        )
        y = np.where(np.isfinite(told), told, y)
        known = np.isfinite(y).all(axis=1)
        first, last, n_targets = batch.first, batch.last, batch.n_targets
        batch.clear()
        if not known.any():
            return None
        self._add(np.column_stack([rows, np.ones(len(rows))])[known], y[known])
        reason = f"recursive_ridge: {int(known.sum())} rows"
        return Lesson(self._solve(), reason, first, last, int(known.sum()), n_targets)

    def _add(self, x: np.ndarray, y: np.ndarray) -> None:
        ages = np.arange(len(x) - 1, -1, -1)
        faded = x * (self._forget**ages)[:, None]
        old = self._forget ** len(x)
        self._xx = old * self._xx + faded.T @ x
        self._xy = old * self._xy + y.T @ faded
        self._n = old * self._n + float((self._forget**ages).sum())

    def _solve(self) -> Weights:
        diagonal = np.diag(self._xx)[:-1]
        strength = self._prior_rows * max(
            float(diagonal.mean()) / self._n, np.finfo(np.float64).tiny
        )
        # The intercept's regressor is 1, not of the features' size: its own prior.
        ridge = np.full(len(self._xx), strength)
        ridge[-1] = self._prior_rows
        found = np.linalg.solve(self._xx + np.diag(ridge), (self._xy + self._prior * ridge).T).T
        return {
            "coef": np.ascontiguousarray(found[:, :-1]),
            "intercept": np.ascontiguousarray(found[:, -1]),
        }

    def forget(self) -> None:
        self._batch.forget()

    def state(self) -> State:
        return {"xx": self._xx.copy(), "xy": self._xy.copy(), "n": np.array([self._n])}

    def restore(self, state: State) -> None:
        self._xx = np.array(state["xx"], np.float64)
        self._xy = np.array(state["xy"], np.float64)
        self._n = float(np.asarray(state["n"])[0])
        self._batch.clear()
