"""A network of speech is brought to another day by rows alone: nobody says what was said in them.

First each feature is brought to its own mean and deviation on that day. Then what features have in
common is aligned: units that fell silent, were replaced or turned no longer follow what they did.
Speech moves few things, so what rows have in common lies in few dimensions, which differ between
days by a rotation; units that stayed as they were show which. After Degenhart et al.,
"Stabilization of a brain-computer interface via the alignment of low-dimensional spaces of neural
activity", Nat. Biomed. Eng. 4:672, 2020. Two things differ. What is common is read from
covariances of rows with those 20 to 60 ms later, which noise of single bins does not reach. And
loadings move from those of before only as far as both halves of the recording agree that they did;
so a day that is like the one before, or a recording too short to tell, changes next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, LOADINGS, floats

__all__ = ["loadings", "settled", "spread_of_day"]

Floats = NDArray[np.float64]

_MOST_COMMON = 16
_LATER = (1, 2, 3)
_LEAST_SPREAD = 0.3
_DOUBT = 2.0
_KEPT = 0.5
_LEAST_NOISE = 0.1
_ROUNDS = 30


def loadings(deviations: Floats) -> Floats:
    """Return (F, k): what each feature has of the k things that rows have in common.

    Those are the largest eigenvectors of the covariance of rows with later ones, times the root of
    the eigenvalue; k is 16, or a quarter of the features.

    Parameters
    ----------
    deviations
        (n, F) rows in deviations of each feature; they follow each other but for a few gaps.
    """
    n, n_features = deviations.shape
    shared = np.zeros((n_features, n_features))
    for later in _LATER:
        apart = deviations[:-later].T @ deviations[later:] / max(1, n - later)
        shared += (apart + apart.T) / (2 * len(_LATER))
    values, vectors = np.linalg.eigh(shared)
    largest = slice(-1, -1 - _n_common(n_features), -1)
    found: Floats = vectors[:, largest] * np.sqrt(np.maximum(values[largest], 0.0))
    return found


def settled(weights: Weights, days: Mapping[int, Floats]) -> Weights:
    """Return `weights` with a day layer for each of some days, as far as rows alone tell.

    Each departs from the newest that is there. All else stays to the bit. A model that does not
    know what its rows had in common (no ``loadings``) is given means and deviations only.

    Parameters
    ----------
    weights
        As `decoders.speech.gru_arrays` says.
    days
        Of each session, (n, F) rows, speech and silence as they came.
    """
    found = [_of_day(weights, rows) for rows in days.values()]
    stacked = {name: np.stack([one[name] for one in found]).astype(np.float32) for name in found[0]}
    return {**weights, **stacked, "days": np.array(list(days), np.int64)}


def spread_of_day(weights: Weights, rows: Floats) -> tuple[Floats, Floats]:
    """Return of each feature the mean on this day, and one over its deviation.

    A feature that does not vary is given the deviation of before: it may come back. None is given
    less than 0.3 of that, for a unit that now fires twice a minute must not shout when it does.
    One that never varied before stays out: nothing was learned of it.
    """
    inverse = np.atleast_2d(floats(weights, "inverse"))[-1].astype(np.float64)
    before = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    mean, now = rows.mean(axis=0), rows.std(axis=0)
    varies = now > 1e-9 * np.maximum(np.abs(mean), 1e-12)
    deviation = np.where(varies, np.maximum(now, _LEAST_SPREAD * before), before)
    return mean, np.divide(1.0, deviation, out=np.zeros_like(inverse), where=inverse > 0)


def _of_day(weights: Weights, rows: Floats) -> dict[str, Floats]:
    mean, inverse = spread_of_day(weights, rows)
    matrix, bias = (floats(weights, name)[-1].astype(np.float64) for name in (DAY_WEIGHT, DAY_BIAS))
    spread = {"mean": mean, "inverse": inverse, DAY_BIAS: bias}
    if LOADINGS not in weights:
        return {**spread, DAY_WEIGHT: matrix}
    limit = float(floats(weights, "limit")[0])
    deviations = np.clip((rows - mean) * inverse, -limit, limit)
    before = floats(weights, LOADINGS)[-1].astype(np.float64)
    now, moved = _moved(before, deviations)
    noise = np.maximum(deviations.var(axis=0) - (now**2).sum(axis=1), _LEAST_NOISE)
    return {**spread, DAY_WEIGHT: _back(before, now, moved, noise) @ matrix, LOADINGS: now}


def _moved(before: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Return the loadings of this day, and of each feature (F,) what part of a change is sure.

    Both halves of the recording give loadings of their own; by how much they differ, what the whole
    of it gives is in doubt, and the change is shrunk towards none (James & Stein, 1961).
    """
    half = len(deviations) // 2
    if half <= max(_LATER):
        return before, np.zeros(len(before))
    whole, first, second = (
        _turned(before, loadings(part))
        for part in (deviations, deviations[:half], deviations[half:])
    )
    doubt = _DOUBT * float(np.mean(((first - second) ** 2).sum(axis=1))) / 4
    change = whole - before
    size = (change**2).sum(axis=1)
    sure = np.clip(1.0 - doubt / np.maximum(size, np.finfo(np.float64).tiny), 0.0, 1.0)
    return before + sure[:, np.newaxis] * change, sure


def _turned(before: Floats, now: Floats) -> Floats:
    """Return `now`, turned to be as near to `before` as a rotation makes most of the features.

    Features that differ much count little (Procrustes analysis, weighted anew in turns).
    """
    weight = np.ones(len(before))
    turned = now
    for _ in range(_ROUNDS):
        left, _, right = np.linalg.svd((now * weight[:, np.newaxis]).T @ before)
        turned = now @ left @ right
        apart = ((before - turned) ** 2).sum(axis=1)
        typical = max(float(np.median(apart)), np.finfo(np.float64).tiny)
        weight = 1.0 / (1.0 + apart / typical) ** 2
    return turned


def _back(before: Floats, now: Floats, moved: Floats, noise: Floats) -> Floats:
    """Return (F, F): a row of this day, times it, is as one of the day before.

    What is common is read from the row with its present loadings, by weighted least squares; each
    feature is given what it had of it before, in place of what it has. Half of all else that a
    feature says is taken from it, as far as it moved: it adds nothing but noise.
    """
    weighted = now / noise[:, np.newaxis]
    # The smallest ridge that keeps it solvable where features share nothing.
    read = np.linalg.solve(now.T @ weighted + 1e-6 * np.eye(now.shape[1]), weighted.T).T
    whole = np.eye(len(before))
    rest = whole - read @ now.T
    found: Floats = whole + read @ (before - now).T - (1 - _KEPT) * rest * moved
    return found


def _n_common(n_features: int) -> int:
    return max(1, min(_MOST_COMMON, n_features // 4))
