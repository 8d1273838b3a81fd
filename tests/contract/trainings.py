"""What decoders are fitted on in the contract tests, and what a case is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoder, Training, Weights
from devices.signal import Signal

N = 4
SQUARE = Signal(10.0, tuple(f"{i}*{j}" for i in range(N) for j in range(i, N)), "uV^2")
BLOCK = 9
"""Samples a row where rows hold whole blocks."""

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


def band_training(n_classes: int = 2) -> Training:
    """Return covariances in three bands, of which the second tells the classes."""
    base = triangle_training(n_classes)
    rng = np.random.default_rng(6)
    n_trials = len(base.features) // 5
    # Each of another order: two bands that tell as much would be a tie, which rounding decides.
    one, other = (
        np.repeat(rng.permutation(n_trials), 5) * 5 + np.tile(np.arange(5), n_trials)
        for _ in range(2)
    )
    rows = np.hstack([base.features[one], base.features, base.features[other]])
    names = tuple(f"{c} {b} Hz" for b in ("4-8", "8-12", "12-16") for c in SQUARE.channels)
    return replace(base, signal=Signal(10.0, names, "uV^2"), features=rows)


def epoch_training(n_classes: int = 2) -> Training:
    """Return epochs of three channels and eight steps, each class with a response of its own."""
    rng = np.random.default_rng(7)
    targets = np.arange(60 * n_classes) % n_classes
    responses = rng.standard_normal((n_classes, 3, 8))
    rows = responses[targets] + 1.5 * rng.standard_normal((len(targets), 3, 8))
    names = tuple(f"{c} {100 * i - 700} ms" for c in ("Fz", "Cz", "Pz") for i in range(8))
    labels = ("left", "right", "feet")[:n_classes]
    signal = Signal(10.0, names, "uV")
    return Training(signal, rows.reshape(len(rows), -1), targets, np.arange(len(rows)), labels)


def locked_training(responses: NDArray[np.float64], per_class: int, noise: float) -> Training:
    """Return whole blocks of trials that follow (n_classes, n, n_channels) responses."""
    rng = np.random.default_rng(8)
    n_classes, n, n_channels = responses.shape
    truths = np.arange(n_classes * per_class) % n_classes
    x = responses[truths] + noise * rng.standard_normal((len(truths), n, n_channels))
    rows = n // BLOCK
    return Training(
        Signal(120.0 / BLOCK, tuple(map(str, range(BLOCK * n_channels))), "uV"),
        x[:, : rows * BLOCK].reshape(len(truths) * rows, -1),
        np.repeat(truths, rows),
        np.repeat(np.arange(len(truths)), rows),
        tuple("ABCDEF"[:n_classes]),
        ages=np.tile(np.arange(1, rows + 1) * BLOCK - 1, len(truths)),
    )


CODES = {
    name: "0" + "".join(map(str, np.random.default_rng(i).permutation([0, 1] * 14).tolist())) + "0"
    for i, name in enumerate("ABCDEF")
}


def code_training() -> Training:
    """Return trials in which every flash of a code has one response, seen by three channels."""
    n, kernel = 180, np.hanning(24) * np.sin(np.arange(24) / 3)
    shown = np.array([[int(b) for b in CODES[c] * 3] for c in CODES]).repeat(2, axis=1)
    begins = np.diff(shown, axis=1, prepend=0) > 0
    seen = np.array([np.convolve(b, kernel)[:n] for b in begins])
    return locked_training(seen[..., np.newaxis] * [1.0, -0.5, 0.2], 3, 0.4)


def flicker_training() -> Training:
    t = np.arange(180)[:, np.newaxis] / 120
    waves = np.array([np.sin(2 * np.pi * f * t + [0, 1, 2]) for f in (8.0, 11.0, 13.0)])
    return locked_training(np.concatenate([waves, 0.5 * waves**2], axis=2), 6, 2.0)


@dataclass(frozen=True)
class Case:
    recipe: Decoder
    training: Training
    library: Callable[[Any, Training], NDArray[np.float64]]


_FITTED: dict[tuple[int, int], Weights] = {}


def fitted(recipe: Decoder, training: Training) -> Weights:
    """Return what a case's recipe learns of its training; it learns it once."""
    key = id(recipe), id(training)  # of cases, which are never given up
    if key not in _FITTED:
        _FITTED[key] = recipe.fit(training)
    return _FITTED[key]
