"""Factor loadings turned onto the first session's, by the channels that changed least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.alignment.alignment import Affine, RowMap, deviations
from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["StableLatents", "factors"]

_ITERATIONS = 300
_LEAST_NOISE = 1e-3


@dataclass(frozen=True)
class StableLatents:
    r"""Procrustes alignment of factor loadings; without labels.

    Each session's standardised rows are explained by a few factors, :math:`x = \Lambda z +
    \varepsilon` with independent noise. The rotation :math:`O` that brings its loadings nearest to
    the first session's, :math:`\min_O \|\Lambda_1 - \Lambda O\|` over orthogonal O (Schönemann,
    Psychometrika 31, 1966), is found on the channels that agree best, which are sought by leaving
    out the worst one at a time; out come the factors :math:`O^T E[z | x]` (Degenhart et al.,
    "Stabilization of a brain-computer interface via the alignment of low-dimensional spaces of
    neural activity", Nat. Biomed. Eng. 4, 2020).

    Parameters
    ----------
    n_factors
        How many factors.
    stable
        The share of the channels that are taken to be stable.
    """

    n_factors: int
    stable: float

    def anchor(self, training: Training) -> Weights:
        """Return the first session's ``loadings``, (n_features, n_factors)."""
        return {"loadings": factors(self._standard(training)[0], self.n_factors)[0]}

    def fit(self, anchor: Weights, training: Training) -> Weights:
        """Return ``matrix`` and ``offset`` of the map, and the ``stable`` channels."""
        first = np.asarray(anchor["loadings"], np.float64)
        rows, mean, scale = self._standard(training)
        if rows.shape[1] != len(first):
            raise Mismatch(
                f"{rows.shape[1]} features cannot be aligned with {len(first)}, channel by "
                'channel; use the same channels, or by = "cca", which matches by what was meant'
            )
        loadings, noise = factors(rows, self.n_factors)
        kept = max(self.n_factors, round(self.stable * len(first)))
        rotation, stable = _stable_rotation(first, loadings, kept)
        weighted = loadings / noise[:, np.newaxis]
        posterior = np.linalg.solve(np.eye(self.n_factors) + loadings.T @ weighted, weighted.T)
        return {"matrix": rotation.T @ posterior * scale, "offset": mean, "stable": stable}

    def signal(self, signal: Signal) -> Signal:
        """Return the factors."""
        return Signal(signal.rate_hz, tuple(f"factor{i + 1}" for i in range(self.n_factors)), "1")

    def start(self, fitted: Weights) -> RowMap:
        """Start to map rows."""
        return Affine(fitted)

    def _standard(
        self, training: Training
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        rows = training.features
        if not self.n_factors < rows.shape[1]:
            raise Mismatch(
                f"{self.n_factors} factors cannot be had from {rows.shape[1]} features; use fewer"
            )
        if len(rows) <= 2 * self.n_factors:
            raise Mismatch(
                f"{len(rows)} rows are too few to find {self.n_factors} factors in; record more"
            )
        mean, scale = rows.mean(axis=0), 1.0 / deviations(rows)
        return (rows - mean) * scale, mean, scale


def factors(
    rows: NDArray[np.float64], n_factors: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the loadings, (n, n_factors), and the noise, (n,), of standardised rows.

    By expectation and maximisation, from the principal components (Rubin & Thayer, Psychometrika
    47, 1982).
    """
    s = rows.T @ rows / len(rows)
    values, vectors = np.linalg.eigh(s)
    strongest = np.maximum(values[::-1][:n_factors], _LEAST_NOISE)
    loadings = vectors[:, ::-1][:, :n_factors] * np.sqrt(strongest)
    # The sign of a component is nobody's choice; make it one.
    loadings *= np.where(loadings[np.abs(loadings).argmax(axis=0), range(n_factors)] < 0, -1, 1)
    noise = np.maximum(np.diag(s) - (loadings**2).sum(axis=1), _LEAST_NOISE)
    for _ in range(_ITERATIONS):
        weighted = loadings / noise[:, np.newaxis]
        beta = np.linalg.solve(np.eye(n_factors) + loadings.T @ weighted, weighted.T)
        sb = s @ beta.T
        expected = np.eye(n_factors) - beta @ loadings + beta @ sb
        new = np.linalg.solve(expected, sb.T).T
        noise = np.maximum(np.diag(s) - (new * sb).sum(axis=1), _LEAST_NOISE)
        moved = float(np.abs(new - loadings).max())
        loadings = new
        if moved < 1e-6:
            break
    return loadings, noise


def _stable_rotation(
    first: NDArray[np.float64], loadings: NDArray[np.float64], kept: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rotation, and which channels it rests on."""
    among = np.arange(len(first))
    while True:
        u, _, vt = np.linalg.svd(loadings[among].T @ first[among])
        rotation = u @ vt
        if len(among) <= kept:
            return np.asarray(rotation, np.float64), among
        apart = ((first[among] - loadings[among] @ rotation) ** 2).sum(axis=1)
        among = np.delete(among, int(apart.argmax()))
