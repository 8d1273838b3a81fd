import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.refit_kalman import RefitKalman
from tests.contract.trainings import Case, reach_training


def by_textbook(recipe: RefitKalman, training: Training) -> NDArray[np.float64]:
    """Return Gilja's filter as he writes it: one state of position, velocity and 1."""
    z, dt = training.features, 1 / training.signal.rate_hz
    meant, before, number = [], [], []
    for group in np.unique(training.groups):
        v = training.targets[training.groups == group]
        p = np.cumsum(v, axis=0) * dt
        start = p - v * dt
        fast = (
            np.linalg.norm(v, axis=1) > recipe.rest * np.linalg.norm(training.targets, axis=1).max()
        )
        turned = np.zeros_like(v)
        for i in np.flatnonzero(fast):
            end = i
            while end + 1 < len(v) and fast[end + 1]:
                end += 1
            way = p[end] - start[i]
            turned[i] = np.linalg.norm(v[i]) * way / np.linalg.norm(way)
        meant.append(turned)
        before.append(start)
        number += [group] * len(v)
    x = np.hstack([np.concatenate(before), np.concatenate(meant), np.ones((len(z), 1))])
    v, same = x[:, 2:4], np.diff(number) == 0
    a_v = np.linalg.lstsq(v[:-1][same], v[1:][same], rcond=None)[0].T
    left = v[1:][same] - v[:-1][same] @ a_v.T
    c = np.linalg.lstsq(x, z, rcond=None)[0].T
    seen = z - x @ c.T
    q = seen.T @ seen / len(seen)
    q = (1 - recipe.shrinkage) * q + recipe.shrinkage * np.diag(np.diag(q))

    a = np.eye(5)
    a[2:4, 2:4] = a_v
    w = np.zeros((5, 5))
    w[2:4, 2:4] = left.T @ left / len(left)
    spread = w.copy()
    for _ in range(500):  # until it has settled, where ours starts
        ahead = a @ spread @ a.T + w
        ahead[:2] = ahead[:, :2] = 0.0  # the position is known
        gain = ahead @ c.T @ np.linalg.inv(c @ ahead @ c.T + q)
        spread = (np.eye(5) - gain @ c) @ ahead
    said = []
    for group in np.unique(training.groups):
        state = np.array([0.0, 0, 0, 0, 1])
        for row in z[training.groups == group]:
            ahead_state = a @ state
            state = ahead_state + gain @ (row - c @ ahead_state)
            said.append(state[2:4])
            state[:2] += state[2:4] * dt
            state[:2] = np.clip(state[:2], *_range(training, dt))
    return np.array(said)


def _range(training: Training, dt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    places = np.concatenate(
        [
            np.cumsum(training.targets[training.groups == group], axis=0) * dt
            for group in np.unique(training.groups)
        ]
    )
    return places.min(axis=0), places.max(axis=0)


CASES = [
    Case(recipe, reach_training(), by_textbook)
    for recipe in (RefitKalman(), RefitKalman(rest=0.2, shrinkage=0.0))
]
