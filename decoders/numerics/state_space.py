"""Linear Gaussian state-space models: fitted by least squares, and the filter they settle at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.stage import Mismatch

__all__ = [
    "lagged",
    "least_squares",
    "numbered",
    "pairs",
    "plausible",
    "shrunk",
    "starts",
    "steady_state",
]

_MOST_DEVIATIONS = 10.0
_MOST_STEPS = 10_000
_SETTLED = 1e-13


def starts(training: Training) -> NDArray[np.int64]:
    """Return the first row of each group."""
    groups = training.groups
    return np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))


def numbered(training: Training) -> NDArray[np.int64]:
    """Return 0, 0, …, 1, 1, …: which group, counted, each row is in."""
    return np.searchsorted(starts(training), np.arange(len(training.groups)), side="right") - 1


def lagged(training: Training, lag: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values, and the rows that came `lag` before them, none across groups."""
    inside = np.arange(len(training.groups)) - starts(training)[numbered(training)] >= lag
    at = np.flatnonzero(inside)
    return training.targets[at].astype(np.float64), training.features[at - lag]


def pairs(
    values: NDArray[np.float64], training: Training, lag: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each value and the one after it, none across groups."""
    number = numbered(training)
    inside = np.arange(len(number)) - starts(training)[number] >= lag
    follows = np.diff(number[inside]) == 0
    return values[:-1][follows], values[1:][follows]


def least_squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return B, (n_y, n_x), of y ≈ B x; of what x never shows, nothing."""
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0].T, np.float64)


def shrunk(q: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    """Return a covariance moved towards its diagonal, 0 (not at all) to 1."""
    diagonal = np.diag(q).copy()
    # A feature that never varied would claim to be exact; it is as noisy as they are on average.
    diagonal[diagonal <= 1e-9 * diagonal.mean()] = max(diagonal.mean(), np.finfo(float).tiny)
    return np.asarray((1 - shrinkage) * (q - np.diag(np.diag(q))) + np.diag(diagonal))


def plausible(
    centre: NDArray[np.float64], variance: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return between what a filter takes features to be: ten deviations on either side.

    A unit that was all but silent while the filter was fitted looks as if it were exact: its next
    spike would throw the state by a thousand deviations. So would an artefact.

    Parameters
    ----------
    centre, variance
        Of each feature, (n_features,): of what is seen of the values, and of the noise as the
        filter has it.
    """
    reach = _MOST_DEVIATIONS * np.sqrt(variance)
    return {"feature_lowest": centre - reach, "feature_highest": centre + reach}


def steady_state(
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
