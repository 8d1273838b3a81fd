"""A velocity Kalman filter that is fitted anew in closed loop, batch by batch, and smoothed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground, Learner, Lesson, Seen, State
from decoders.adapting.rows import Batch, meant
from decoders.adapting.target_inference import TargetInference
from decoders.decoder import Weights
from decoders.numerics.state_space import (
    plausible,
    shrunk,
    steady_state,
)
from decoders.stage import Mismatch

__all__ = ["SmoothBatch"]

_LEAST_PER_FEATURE = 2
_MOST_BATCHES = 4
_RIDGE = 1e-3
_LEAST_SPREAD = 1e-2


@dataclass(frozen=True)
class SmoothBatch:
    r"""After each batch, move how features follow velocities towards what the batch says.

    .. math:: H \leftarrow \rho H + (1 - \rho) \hat H, \quad Q \leftarrow \rho Q + (1 - \rho) \hat
        Q, \qquad \rho = 2^{-\text{batch} / \text{half life}}

    with Ĥ and Q̂ the least-squares fit of a batch's features to what was meant in it; how
    velocities move (A, W) stays (Orsborn, Dangi, Moorman & Carmena, "Closed-loop decoder adaptation
    on intermediate time-scales facilitates rapid BMI performance improvements independent of
    decoder initialization conditions", IEEE Trans. Neural Syst. Rehabil. Eng. 20, 2012). The first
    batches count alike, until ρ is reached; so it also calibrates a decoder that knows nothing.
    What was meant: what was decoded, turned towards the target (ReFIT: Gilja et al., Nat. Neurosci.
    15, 2012), or the way to the target. Where nobody says what the targets were, they are inferred
    from where the effector went next (see `decoders.adapting.target_inference`). Wants a `kalman`
    model.

    Parameters
    ----------
    batch_s
        Seconds of rows a batch; a batch that says too little (few rows, one direction only) grows
        by another, up to four times.
    half_life_s
        After so many seconds a batch counts half.
    blend
        What is smoothed: the ``parameters`` H and Q (SmoothBatch), or the ``statistics`` that they
        follow from, so that a batch which says little of a direction changes little of it
        (recursive maximum likelihood: Dangi et al., Neural Comput. 26, 2014).
    intent
        ``rotate`` what was decoded towards the target, or ``goal``: towards it at `speed`.
    targets
        Who says where they are: clients by ``feedback``, or they are ``inferred``.
    radius
        Within so much of the target nothing was meant; in the unit of positions.
    reaction_s
        So long after a new target is told, rows do not count: nobody moves towards it yet.
    speed, near
        For ``goal``: the speed, and the distance from which on it slows down.
    smoothness_s
        Time constant of velocities, for a model that does not hold its A and W.
    shrinkage
        0 to 1: how far Q̂ is moved towards its diagonal.
    reach
        For inferred targets: they lie within ± so much of 0, in the unit of positions.
    confidence
        For inferred targets: the least probability of a row's target that lets the row count.
    """

    batch_s: float = 20.0
    half_life_s: float = 60.0
    blend: Literal["statistics", "parameters"] = "statistics"
    intent: Literal["rotate", "goal"] = "rotate"
    targets: Literal["feedback", "inferred"] = "feedback"
    radius: float = 0.0
    reaction_s: float = 0.2
    speed: float = 0.3
    near: float = 0.05
    smoothness_s: float = 0.5
    shrinkage: float = 0.2
    reach: float = 0.1
    confidence: float = 0.5

    def __post_init__(self) -> None:
        positive = ("batch_s", "half_life_s", "speed", "near", "smoothness_s", "reach")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not self.radius >= 0 or not 0 <= self.shrinkage <= 1 or not 0 <= self.confidence <= 1:
            raise ValueError(
                "smooth_batch needs radius >= 0, shrinkage and confidence 0 to 1; it has radius = "
                f"{self.radius}, shrinkage = {self.shrinkage}, confidence = {self.confidence}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            It is no Kalman filter of two velocities, where targets are to be inferred.
        """
        if not {"gain", "carry", "mean", "offset"} <= set(ground.weights):
            raise Mismatch("smooth_batch wants a model of kind kalman")
        if self.targets == "inferred" and len(ground.labels) != 2:
            raise Mismatch(
                f"targets are inferred in two dimensions; the decoder has {len(ground.labels)}"
            )
        return _Running(self, ground)


class _Running:
    def __init__(self, recipe: SmoothBatch, ground: Ground) -> None:
        self._recipe, self._block_s = recipe, ground.block_s
        self._batch = Batch(ground, reaction_s=recipe.reaction_s)
        self._due = self._every = max(1, round(recipe.batch_s / ground.block_s))
        self._rho = 0.5 ** (recipe.batch_s / recipe.half_life_s)
        self._inference = TargetInference(recipe.reach, ground.block_s)
        self._moves, self._spread = _dynamics(recipe, ground)
        k, d = ground.weights["gain"].shape
        self._tuning, self._offset, self._noise = np.zeros((d, k)), np.zeros(d), np.zeros((d, d))
        self._share = 0.0
        self._sums: _Sums | None = None
        if "tuning" in ground.weights:
            weights = ground.weights
            self._tuning = np.array(weights["tuning"], np.float64)
            self._noise = np.array(weights["noise"], np.float64)
            mean = np.asarray(weights["mean"], np.float64)
            self._offset = np.asarray(weights["offset"], np.float64) - self._tuning @ mean
            self._share = self._rho
            self._sums = self._past()

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        batch = self._batch
        batch.take(seen)
        if len(batch) < self._due:
            return None
        rows, decoded, positions, targets, told = batch.arrays()
        first, last, n_targets = batch.first, batch.last, batch.n_targets
        recipe = self._recipe
        if recipe.targets == "inferred":
            inferred = self._inference.targets(positions, decoded)
            targets = np.where(
                inferred.confidence[:, None] >= recipe.confidence, inferred.targets, np.nan
            )
            n_targets = inferred.n_targets
        y = meant(
            recipe.intent, decoded, targets - positions, recipe.radius, recipe.speed, recipe.near
        )
        y = np.where(np.isfinite(told), told, y)
        known = np.isfinite(y).all(axis=1)
        if not self._fit(rows[known], y[known]):
            self._wait()
            return None
        self._begin()
        reason = f"smooth_batch: {int(known.sum())} rows to {recipe.targets} targets"
        return Lesson(self._weights(), reason, first, last, int(known.sum()), n_targets)

    def _wait(self) -> None:
        """Let the batch grow by another one, but not for ever."""
        self._due += self._every
        if self._due > _MOST_BATCHES * self._every:
            self._begin()

    def _begin(self) -> None:
        self._batch.clear()
        self._due = self._every

    def _fit(self, rows: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
        """Take a batch in; False if it says too little."""
        if len(rows) <= _LEAST_PER_FEATURE * rows.shape[1]:
            return False
        x = np.column_stack([y, np.ones(len(y))])
        size = max(float(np.sqrt(np.mean(y**2))), np.finfo(np.float64).tiny)
        # With one direction only, nobody can tell what follows from it and what is always there.
        if (
            np.linalg.matrix_rank(x / [*np.full(y.shape[1], size), 1.0], _LEAST_SPREAD * len(x))
            < x.shape[1]
        ):
            return False
        sums = _Sums(len(rows), x.T @ x, rows.T @ x, rows.T @ rows)
        if self._recipe.blend == "parameters":
            self._move(*self._solve(sums))
        else:
            self._sums = sums if self._sums is None else self._sums.then(sums, self._rho)
            self._tuning, self._offset, self._noise = self._solve(self._sums)
        return True

    def _solve(
        self, sums: _Sums
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return H, h and Q by least squares; of a direction that was not meant, nothing."""
        xx = sums.xx.copy()
        k = len(xx) - 1
        xx[np.arange(k), np.arange(k)] += _RIDGE * sums.n * self._recipe.speed**2
        found: NDArray[np.float64] = np.asarray(np.linalg.solve(xx, sums.zx.T).T, np.float64)
        across = found @ sums.zx.T
        left = (sums.zz - across - across.T + found @ sums.xx @ found.T) / sums.n
        noise = shrunk(np.asarray(left, np.float64), self._recipe.shrinkage)
        return found[:, :-1], found[:, -1], noise

    def _move(
        self,
        tuning: NDArray[np.float64],
        offset: NDArray[np.float64],
        noise: NDArray[np.float64],
    ) -> None:
        old = self._share
        # Counted alike at first: 0, 1/2, 2/3 … of the past, and never more than ρ.
        self._share = min(self._rho, 1 / (2 - old))
        self._tuning = old * self._tuning + (1 - old) * tuning
        self._offset = old * self._offset + (1 - old) * offset
        self._noise = old * self._noise + (1 - old) * noise

    def _weights(self) -> Weights:
        settled = steady_state(self._moves, self._spread, self._tuning, self._noise)
        meant = self._recipe.speed**2 / 2 * (self._tuning**2).sum(axis=1)
        settled |= plausible(self._offset, meant + np.diag(self._noise))
        return settled | {
            "mean": np.zeros(len(self._moves)),
            "offset": self._offset.copy(),
            "moves": self._moves,
            "spread": self._spread,
            "tuning": self._tuning.copy(),
            "noise": self._noise.copy(),
        }

    def forget(self) -> None:
        self._batch.forget()
        self._due = self._every

    def _past(self) -> _Sums:
        """Return the sums that the calibrated model would stand for, over one half life."""
        n = self._recipe.half_life_s / self._block_s
        k = self._tuning.shape[1]
        xx = n * np.diag([*np.full(k, self._recipe.speed**2 / 4), 1.0])
        found = np.column_stack([self._tuning, self._offset])
        return _Sums(n, xx, found @ xx, n * self._noise + found @ xx @ found.T)

    def state(self) -> State:
        known = {
            "tuning": self._tuning.copy(),
            "offset": self._offset.copy(),
            "noise": self._noise.copy(),
            "share": np.array([self._share]),
        }
        if self._sums is None:
            return known
        sums = self._sums
        return known | {"n": np.array([sums.n]), "xx": sums.xx, "zx": sums.zx, "zz": sums.zz}

    def restore(self, state: State) -> None:
        arrays = {name: np.array(array, np.float64) for name, array in state.items()}
        self._tuning, self._offset = arrays["tuning"], arrays["offset"]
        self._noise, self._share = arrays["noise"], float(arrays["share"][0])
        self._sums = None
        if "n" in arrays:
            n = float(arrays["n"][0])
            self._sums = _Sums(n, arrays["xx"], arrays["zx"], arrays["zz"])
        self._begin()


@dataclass(frozen=True, slots=True)
class _Sums:
    """All that a linear fit of features z to x, what was meant and 1, needs to know of rows."""

    n: float
    xx: NDArray[np.float64]
    zx: NDArray[np.float64]
    zz: NDArray[np.float64]

    def then(self, newer: _Sums, keep: float) -> _Sums:
        """Return these, faded to the part `keep`, and newer ones."""
        return _Sums(
            keep * self.n + newer.n,
            keep * self.xx + newer.xx,
            keep * self.zx + newer.zx,
            keep * self.zz + newer.zz,
        )


def _dynamics(
    recipe: SmoothBatch, ground: Ground
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A and W: the model's own, or those of a velocity that is forgotten smoothly."""
    if "moves" in ground.weights:
        return np.asarray(ground.weights["moves"]), np.asarray(ground.weights["spread"])
    k = len(ground.labels)
    keep = float(np.exp(-ground.block_s / recipe.smoothness_s))
    return keep * np.eye(k), (1 - keep**2) * recipe.speed**2 / 2 * np.eye(k)
