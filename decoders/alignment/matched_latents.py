"""Principal components turned and stretched onto the first session's, by what was meant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.alignment.alignment import Affine, RowMap, deviations
from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["MatchedLatents"]

_CONDITIONS_A_FACTOR = 4


@dataclass(frozen=True)
class MatchedLatents:
    r"""Canonical correlation of latent dynamics; with labels, of few trials; any channels.

    Each session's standardised rows are reduced to their principal components, and these are
    averaged over rows of like meaning: of one class at one time after its cue, or of like values
    of the target. Canonical correlation analysis of the averages of two sessions,
    :math:`L_1 = Q_1 R_1`, :math:`L = Q R`, :math:`U S V^T = Q_1^T Q`, gives
    :math:`M_1 = R_1^{-1} U` and :math:`M = R^{-1} V`; rows are mapped by :math:`M M_1^{-1}` into
    the first session's components (Gallego et al., "Long-term stability of cortical population
    dynamics underlying consistent behavior", Nat. Neurosci. 23, 2020).

    Parameters
    ----------
    n_factors
        How many components.
    """

    n_factors: int

    def anchor(self, training: Training) -> Weights:
        """Return the first session's ``conditions`` and its mean latents in each.

        Of classes ``conditions`` is how many rows a trial has; of values, (n, n_names), what they
        were, with ``scale``, (n_names,).
        """
        components, mean = self._components(training)
        found = self._conditions_of(training)
        latents, counts = _averages(
            (training.features - mean) @ components.T, *_condition_of(found, training)
        )
        return {**found, "latents": latents, "counts": counts}

    def fit(self, anchor: Weights, training: Training) -> Weights:
        """Return ``matrix`` and ``offset`` of the map."""
        components, mean = self._components(training)
        latents, counts = _averages(
            (training.features - mean) @ components.T, *_condition_of(anchor, training)
        )
        both = (counts > 0) & (np.asarray(anchor["counts"], np.int64) > 0)
        if both.sum() <= self.n_factors:
            raise Mismatch(
                f"the sessions have {both.sum()} conditions in common; to align {self.n_factors} "
                f"factors more than {self.n_factors} are needed. Record more trials, or use fewer "
                "factors"
            )
        first_latents = np.asarray(anchor["latents"], np.float64)[both]
        weight = np.sqrt(counts[both])[:, np.newaxis]
        first = _centred(first_latents, weight)
        (q1, r1), (q, r) = np.linalg.qr(first), np.linalg.qr(_centred(latents[both], weight))
        u, _, vt = np.linalg.svd(q1.T @ q)
        m1, m = np.linalg.lstsq(r1, u, rcond=1e-9)[0], np.linalg.lstsq(r, vt.T, rcond=1e-9)[0]
        turned = np.linalg.pinv(m1).T @ m.T
        middle = (first_latents * weight**2).sum(axis=0) / (weight**2).sum()
        own = (latents[both] * weight**2).sum(axis=0) / (weight**2).sum()
        matrix = turned @ components
        # What the session's own average condition is, is the first session's.
        shift = np.linalg.lstsq(matrix, middle - turned @ own, rcond=None)[0]
        return {"matrix": matrix, "offset": mean - shift}

    def signal(self, signal: Signal) -> Signal:
        """Return the components of the first session."""
        names = tuple(f"component{i + 1}" for i in range(self.n_factors))
        return Signal(signal.rate_hz, names, "1")

    def start(self, fitted: Weights) -> RowMap:
        """Start to map rows."""
        return Affine(fitted)

    def _components(self, training: Training) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (n_factors, n_features) components, of features scaled by their deviation."""
        rows = training.features
        if self.n_factors > rows.shape[1]:
            raise Mismatch(
                f"{self.n_factors} factors cannot be had from {rows.shape[1]} features; use fewer"
            )
        mean, scale = rows.mean(axis=0), 1.0 / deviations(rows)
        standard = (rows - mean) * scale
        _, vectors = np.linalg.eigh(standard.T @ standard / len(rows))
        components = vectors[:, ::-1][:, : self.n_factors].T
        largest = np.abs(components).argmax(axis=1)
        sign = np.where(components[range(self.n_factors), largest] < 0, -1.0, 1.0)
        return components * sign[:, np.newaxis] * scale, mean

    def _conditions_of(self, training: Training) -> Weights:
        if training.targets.ndim == 1:
            return {"conditions": np.array([int(np.bincount(training.groups).max())])}
        from sklearn.cluster import KMeans

        values = training.targets.astype(np.float64)
        scale = 1.0 / deviations(values)
        n = min(_CONDITIONS_A_FACTOR * self.n_factors, len(values))
        found = KMeans(n, n_init=4, random_state=0).fit(values * scale)
        return {"conditions": np.asarray(found.cluster_centers_, np.float64), "scale": scale}


def _condition_of(anchor: Weights, training: Training) -> tuple[NDArray[np.int64], int]:
    """Return each row's condition, and how many conditions there are."""
    conditions = np.asarray(anchor["conditions"])
    if conditions.ndim == 1:
        length = int(conditions[0])
        _, first, trial = np.unique(training.groups, return_index=True, return_inverse=True)
        at = np.minimum(np.arange(len(trial)) - first[trial], length - 1)
        return training.targets.astype(np.int64) * length + at, length * len(training.labels)
    values = training.targets.astype(np.float64) * np.asarray(anchor["scale"])
    middles = conditions.astype(np.float64)
    apart = ((values[:, np.newaxis] - middles) ** 2).sum(axis=2)
    return np.asarray(apart.argmin(axis=1), np.int64), len(conditions)


def _averages(
    latents: NDArray[np.float64], condition: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (n, n_factors) averages, 0 where there is no row, and the (n,) numbers of rows."""
    counts = np.bincount(condition, minlength=n)
    total = np.zeros((n, latents.shape[1]))
    np.add.at(total, condition, latents)
    return total / np.maximum(counts, 1)[:, np.newaxis], counts


def _centred(latents: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (latents * weight**2).sum(axis=0) / (weight**2).sum()
    return np.asarray((latents - middle) * weight, np.float64)
