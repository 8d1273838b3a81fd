"""What the networks of ``sernn.py`` learn: the paper's choice in a maze, and a hand's velocity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Task", "kinematics", "maze"]

# The eight problems, of the goals top left, top right, bottom left, bottom right: which two ways
# are open (left, up, right, down), and which of them leads nearer to the goal.
_PROBLEMS = (
    (1, "ul", "u"),
    (1, "rd", "r"),
    (3, "ld", "d"),
    (2, "rd", "d"),
    (2, "ul", "l"),
    (0, "ur", "u"),
    (3, "lr", "r"),
    (0, "lr", "l"),
)
_WAYS = "lurd"
_GOAL_STEPS, _DELAY_STEPS, _CHOICE_STEPS = 20, 10, 20


@dataclass(frozen=True)
class Task:
    """Sequences, and what is to be said at their end (classes) or all along (values).

    Parameters
    ----------
    inputs, targets
        To learn from: (n, n_steps, n_in) float32; (n,) int64 or (n, n_steps, n_out) float32.
    test_inputs, test_targets
        To be judged by.
    n_outputs
        How many numbers the network puts out.
    batch, epochs, noise
        Sequences a step of training; how often all are seen; deviation of the noise on inputs.
    settle
        Steps at the start of a sequence for which no value is judged.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.generic]
    test_inputs: NDArray[np.float32]
    test_targets: NDArray[np.generic]
    n_outputs: int
    batch: int
    epochs: int
    noise: float = 0.05
    settle: int = 0

    @property
    def is_choice(self) -> bool:
        """Whether one of several is chosen at the end."""
        return self.targets.ndim == 1


def maze(seed: int, epochs: int = 10) -> Task:
    """Return the paper's task: a goal is shown, then nothing, then two open ways; take the nearer.

    5,120 problems to learn from and 2,560 to be judged by, drawn of eight; 50 steps each.
    """
    rng = np.random.default_rng(seed)
    sequences = np.stack([_sequence(*problem) for problem in _PROBLEMS])
    answers = np.array([_WAYS.index(way) for _, _, way in _PROBLEMS])
    drawn, judged = rng.integers(len(_PROBLEMS), size=5120), rng.integers(8, size=2560)
    return Task(
        sequences[drawn],
        answers[drawn],
        sequences[judged],
        answers[judged],
        len(_WAYS),
        batch=128,
        epochs=epochs,
    )


def _sequence(goal: int, open_ways: str, way: str) -> NDArray[np.float32]:
    steps = np.zeros((_GOAL_STEPS + _DELAY_STEPS + _CHOICE_STEPS, 8), np.float32)
    steps[:_GOAL_STEPS, goal] = 1
    for one in open_ways:
        steps[_GOAL_STEPS + _DELAY_STEPS :, 4 + _WAYS.index(one)] = 1
    return steps


def kinematics(archive: Path, epochs: int = 60, steps: int = 50) -> Task:
    """Return a hand's velocity from 196 units, in pieces of 2.5 s: the first 80 % → the rest.

    Counts and velocities are standardised by the first part's means and deviations. Every piece
    begins at rest: a rectified network without a penalty may grow without bounds in a long one.
    """
    with np.load(archive) as arrays:
        counts = arrays["spikes"].astype(np.float64)
        velocity = arrays["handVel"][:, :2].astype(np.float64)
    n_fit = round(0.8 * len(counts))
    x, y = (_standardised(a, n_fit) for a in (counts, velocity))
    fit, rest = (
        [_pieces(a[part], steps) for a in (x, y)] for part in (slice(n_fit), slice(n_fit, None))
    )
    return Task(*fit, *rest, 2, batch=32, epochs=epochs, settle=steps // 5)


def _pieces(a: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    n = len(a) // steps
    return a[: n * steps].reshape(n, steps, -1)


def _standardised(a: NDArray[np.float64], n_fit: int) -> NDArray[np.float32]:
    """Return columns in deviations of the first `n_fit` rows; 0 for one that never varies there."""
    deviation = a[:n_fit].std(axis=0)
    inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9)
    return ((a - a[:n_fit].mean(axis=0)) * inverse).astype(np.float32)
