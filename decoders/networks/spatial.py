r"""Units of a recurrent network in space, and what their connections cost there.

For weights W, with :math:`W_{ij}` from unit i to unit j, units at fixed places a distance D apart:

.. math::
    \Omega(W) = \sum |W| \circ D \circ C, \qquad
    C = \exp\left(S^{-1/2} |W| S^{-1/2}\right), \quad C_{ii} = 0

with the matrix exponential, and S the diagonal matrix of the units' strengths,
:math:`S_{ii} = \sum_j |W_{ij}|` (Achterberg et al., "Spatially embedded recurrent neural networks
reveal widespread links between structural and functional neuroscience findings", Nat. Mach. Intell.
5, 2023; the weighted communicability C is that of Crofts & Higham, J. R. Soc. Interface 6, 2009).
Long connections cost more, and so do those between units that reach each other over many others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["communicability", "distances", "grid", "spatial_cost", "spatial_penalty"]

_LEAST_STRENGTH = 1e-12
"""A unit without connections has a strength of 0, whose inverse root is not finite."""


def grid(shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the places, (n, 3), of units that fill a box of `shape` units, a distance 1 apart."""
    sides = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return np.stack(sides, axis=-1).reshape(-1, 3).astype(np.float64)


def distances(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far apart, (n, n), units at `places`, (n, 3), are: Euclidean."""
    apart = places[:, np.newaxis] - places
    return np.asarray(np.sqrt(np.einsum("ijk,ijk->ij", apart, apart)), np.float64)


def communicability(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return C, (n, n), of `weights`, (n, n), from unit i (row) to unit j (column)."""
    from scipy.linalg import expm

    size = np.abs(weights, dtype=np.float64)
    root = 1.0 / np.sqrt(np.maximum(size.sum(axis=1), _LEAST_STRENGTH))
    c = np.asarray(expm(root[:, np.newaxis] * size * root), np.float64)
    np.fill_diagonal(c, 0.0)
    return c


def spatial_cost(weights: NDArray[np.floating], distance: NDArray[np.float64]) -> float:
    """Return Ω of `weights`, (n, n), whose units are `distance`, (n, n), apart."""
    return float((np.abs(weights, dtype=np.float64) * distance * communicability(weights)).sum())


def spatial_penalty(weights: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Return Ω with its gradient, for training.

    Parameters
    ----------
    weights
        (n, n), from row to column: the transpose of ``torch.nn.RNN``'s ``weight_hh``.
    distance
        (n, n), how far apart the units are.
    """
    import torch

    size = weights.abs()
    root = size.sum(dim=1).clamp_min(_LEAST_STRENGTH).rsqrt()
    c: Any = torch.linalg.matrix_exp(root[:, None] * size * root)
    c = c - torch.diag(torch.diagonal(c))
    return (size * distance * c).sum()
