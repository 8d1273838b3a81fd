"""Which target was meant, inferred afterwards from where the effector went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Inferred", "TargetInference"]

_PER_SIDE = 15
_HOLD_S = 1.5
_CONCENTRATION = 2.0
_NEAR = 0.15
_STOPPED = 0.25
_STEP_S = 0.1
"""Rows are taken together in steps of so long: it is the past, and the loop waits for it."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """What was inferred of each row.

    Parameters
    ----------
    targets
        (n, 2), the expected target.
    confidence
        (n,), the probability of the likeliest place and its neighbours.
    n_targets
        How many different ones there were.
    """

    targets: NDArray[np.float64]
    confidence: NDArray[np.float64]
    n_targets: int


class TargetInference:
    r"""A hidden Markov model of targets, seen through what the effector did.

    Targets lie on a grid of 15 × 15; each stands for a while and then jumps anywhere. A velocity
    points at the target as a von Mises distribution, the more sharply the further away the target
    is, :math:`\kappa (1 - e^{-d^2 / 2 d_0^2})`; a slow effector is near its target. Forward and
    backward over the batch give the probability of every place at every row, so what came later
    tells what was meant before (PRI-T: Wilson et al., "Long-term unsupervised recalibration of
    cursor-based intracortical brain-computer interfaces using a hidden Markov model", Nat. Biomed.
    Eng., 2025; after the retrospective target inference of Jarosiewicz et al., Sci. Transl. Med. 7,
    2015).

    Parameters
    ----------
    reach
        Targets lie within ± so much of 0.
    row_s
        Seconds a row.
    """

    def __init__(self, reach: float, row_s: float) -> None:
        side = np.linspace(-reach, reach, _PER_SIDE)
        self._grid = np.array([(x, y) for x in side for y in side])
        self._near = _NEAR * reach
        self._stride = max(1, round(_STEP_S / row_s))
        self._jump = 1 - float(np.exp(-self._stride * row_s / _HOLD_S))
        k = len(self._grid)
        self._anywhere = np.full(k, 1 / k)
        apart = np.abs(self._grid[:, None] - self._grid[None]).max(axis=2)
        self._is_beside = (apart <= 1.01 * (side[1] - side[0])).astype(np.float64)

    def targets(self, positions: NDArray[np.float64], velocities: NDArray[np.float64]) -> Inferred:
        """Infer the target of each of (n, 2) positions and velocities."""
        stride, n = self._stride, len(positions)
        starts = np.arange(0, n, stride)
        velocities = np.add.reduceat(velocities, starts) / np.diff([*starts, n])[:, None]
        posterior = self._smooth(self._likely(positions[starts], velocities))
        beside = posterior @ self._is_beside
        best = beside.argmax(axis=1)
        around = posterior * self._is_beside[best]
        total = around.sum(axis=1)
        targets = around @ self._grid / np.maximum(total, np.finfo(float).tiny)[:, None]
        changes = np.linalg.norm(np.diff(targets, axis=0), axis=1) > 2 * self._near
        row = np.arange(n) // stride
        return Inferred(targets[row], total[row], 1 + int(changes.sum()))

    def _likely(
        self, positions: NDArray[np.float64], velocities: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (n, n_places) likelihoods, each row relative to its largest."""
        left = self._grid[None] - positions[:, None]
        distance = np.linalg.norm(left, axis=2)
        speed = np.linalg.norm(velocities, axis=1)
        typical = max(float(np.sqrt(np.mean(speed**2))), np.finfo(float).tiny)
        size = np.maximum(distance * speed[:, None], np.finfo(float).tiny)
        cosine = np.einsum("nkj,nj->nk", left, velocities) / size
        sharp = _CONCENTRATION * -np.expm1(-0.5 * (distance / self._near) ** 2)
        moves = np.minimum(speed / typical, 1.0)[:, None]
        score = moves * (sharp * cosine - np.log(np.i0(sharp)))
        still = np.maximum(0.0, 1 - speed / (_STOPPED * typical))[:, None]
        score -= still * 0.5 * (distance / (2 * self._near)) ** 2
        return np.asarray(np.exp(score - score.max(axis=1, keepdims=True)))

    def _smooth(self, likely: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, n_places) probabilities, given everything before and after."""
        jump, anywhere = self._jump, self._anywhere
        stay = 1 - jump
        forward = np.empty_like(likely)
        now = anywhere
        for i, row in enumerate(likely):
            now = (stay * now + jump * anywhere) * row
            now /= now.sum()
            forward[i] = now
        later = np.ones(likely.shape[1])
        for i in range(len(likely) - 1, -1, -1):
            forward[i] *= later
            forward[i] /= forward[i].sum()
            later = likely[i] * later
            later = stay * later + jump * float(anywhere @ later)
            later /= later.max()
        return forward
