"""What decoders are fitted on in the contract tests, and what a case is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoder, Training
from devices.signal import Signal

N = 4
SQUARE = Signal(10.0, tuple(f"{i}*{j}" for i in range(N) for j in range(i, N)), "uV^2")
PLAIN = Signal(20.0, tuple("abcdef"), "1")


def triangle_training(n_classes: int = 2) -> Training:
    """Return trials of covariance matrices, each class of a shape of its own."""
    rng = np.random.default_rng(3)
    rows, targets, groups = [], [], []
    upper = np.triu_indices(N)
    for trial in range(12 * n_classes):
        label = trial % n_classes
        mixing = np.eye(N) + 0.2 * rng.standard_normal((N, N))
        mixing[label] *= 2.0
        for _ in range(5):
            x = mixing @ rng.standard_normal((N, 40))
            rows.append((x @ x.T / 40)[upper])
            targets.append(label)
            groups.append(trial)
    labels = ("left", "right", "feet")[:n_classes]
    return Training(SQUARE, np.array(rows), np.array(targets), np.array(groups), labels)


def class_training(n_classes: int = 3) -> Training:
    rng = np.random.default_rng(4)
    targets = np.arange(40 * n_classes) // 5 % n_classes
    middles = rng.standard_normal((n_classes, PLAIN.n_channels)) * 2
    rows = middles[targets] + rng.standard_normal((len(targets), PLAIN.n_channels))
    labels = ("left", "right", "feet")[:n_classes]
    return Training(PLAIN, rows, targets, np.arange(len(targets)) // 5, labels)


def continuous_training() -> Training:
    rng = np.random.default_rng(5)
    velocity = np.cumsum(rng.standard_normal((600, 2)), axis=0)
    velocity -= velocity.mean(axis=0)
    tuning = rng.standard_normal((2, PLAIN.n_channels))
    rows = velocity @ tuning + rng.standard_normal((600, PLAIN.n_channels)) * 2 + 7
    return Training(PLAIN, rows, velocity, np.arange(600) // 300, ("vx", "vy"), "m/s")


def count_training(n_classes: int = 3) -> Training:
    """Return trials of spike counts: each unit fires at a rate of its own for each class."""
    rng = np.random.default_rng(6)
    targets = np.arange(40 * n_classes) // 5 % n_classes
    rates = rng.uniform(0.2, 4.0, (n_classes, PLAIN.n_channels))
    counts = rng.poisson(rates[targets]).astype(np.float64)
    labels = ("left", "right", "feet")[:n_classes]
    return Training(PLAIN, counts, targets, np.arange(len(targets)) // 5, labels)


def place_training() -> Training:
    """Return counts of units that each fire more at one place, on a slow walk in a square."""
    rng = np.random.default_rng(7)
    window = np.hanning(41) / np.hanning(41).sum()
    place = np.stack([np.convolve(x, window, "same") for x in rng.standard_normal((2, 160))], 1)
    place /= place.std(axis=0)
    slopes = rng.standard_normal((2, PLAIN.n_channels)) * 0.5
    counts = rng.poisson(np.exp(0.5 + place @ slopes)).astype(np.float64)
    return Training(PLAIN, counts, place, np.arange(160) // 80, ("x", "y"), "m")


def reach_training() -> Training:
    """Return reaches and rests, seen by features of velocity and position."""
    rng = np.random.default_rng(8)
    bell = np.sin(np.linspace(0, np.pi, 15)) ** 2
    reaches = []
    for _ in range(16):
        angle = rng.uniform(0, 2 * np.pi)
        velocity = bell[:, np.newaxis] * [np.cos(angle), np.sin(angle)]
        reaches += [velocity + rng.standard_normal((15, 2)) * 0.05 * bell[:, np.newaxis]]
        reaches += [np.zeros((5, 2))]
    velocity = np.concatenate(reaches)
    position = np.cumsum(velocity, axis=0) / PLAIN.rate_hz
    known = np.hstack([velocity, position])
    rows = known @ rng.standard_normal((4, PLAIN.n_channels)) + 5
    rows += rng.standard_normal(rows.shape) * 0.3
    return Training(PLAIN, rows, velocity, np.arange(320) // 160, ("vx", "vy"), "m/s")


def stacked(training: Training, history: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each row with those before it, oldest first, none across groups, and its target."""
    x, y = [], []
    for group in np.unique(training.groups):
        f = training.features[training.groups == group]
        x.append(np.array([f[i - history + 1 : i + 1].ravel() for i in range(history - 1, len(f))]))
        y.append(training.targets[training.groups == group][history - 1 :])
    return np.concatenate(x), np.concatenate(y)


def full(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(triangles), N, N))
    rows, columns = np.triu_indices(N)
    out[:, rows, columns] = out[:, columns, rows] = triangles
    return out


@dataclass(frozen=True)
class Case:
    recipe: Decoder
    training: Training
    library: Callable[[Any, Training], NDArray[np.float64]]
