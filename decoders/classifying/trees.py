"""Decision trees as arrays: all trees of a forest descend together, a level a step.

The nodes of all trees lie one after the other. A node sends a row to its left child where
``row[feature] <= threshold``, else to its right one; a leaf sends it to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Training, Weights
from devices.signal import Signal

__all__ = [
    "Descent",
    "MeanOfTrees",
    "check_fitted_on",
    "flatten",
    "flatten_histogram",
    "with_width",
]


# No row is above it, and it can be stored as any number.
_NEVER = np.finfo(np.float64).max


def flatten(trees: Sequence[Any]) -> Weights:
    """Return fitted scikit-learn trees (their ``tree_``) as arrays.

    Returns
    -------
    ``feature``, ``threshold``, (n_nodes,); ``children``, (n_nodes, 2), numbers of nodes;
    ``roots``, (n_trees,); ``value``, (n_nodes, n_out); ``depth``, (1,).
    """
    parts = [
        (t.feature, t.threshold, t.children_left, t.children_right, t.value[:, 0, :]) for t in trees
    ]
    return _joined(parts, max(t.max_depth for t in trees))


def flatten_histogram(rounds: Sequence[Sequence[Any]]) -> Weights:
    """Return the trees of a fitted scikit-learn histogram booster, round by round, as `flatten`.

    ``value`` has one column. Trees of one round follow each other.
    """
    nodes = [tree.nodes for trees in rounds for tree in trees]
    return _joined(
        [
            (
                n["feature_idx"],
                n["num_threshold"],
                np.where(n["is_leaf"], -1, n["left"].astype(np.int64)),
                n["right"],
                n["value"][:, np.newaxis],
            )
            for n in nodes
        ],
        max(int(n["depth"].max()) for n in nodes),
    )


def _joined(trees: Sequence[tuple[NDArray[Any], ...]], depth: int) -> Weights:
    roots = np.cumsum([0, *(len(tree[0]) for tree in trees)])
    features, thresholds, children, values = [], [], [], []
    for root, (feature, threshold, left, right, value) in zip(roots, trees, strict=False):
        leaf = left < 0
        here = root + np.arange(len(feature))
        features.append(np.where(leaf, 0, feature))
        thresholds.append(np.where(leaf, _NEVER, threshold))
        children.append(
            np.stack([np.where(leaf, here, root + c.astype(np.int64)) for c in (left, right)], 1)
        )
        values.append(value)
    return {
        "feature": np.concatenate(features).astype(np.int32),
        "threshold": np.concatenate(thresholds).astype(np.float64),
        "children": np.concatenate(children).astype(np.int32),
        "roots": roots[:-1].astype(np.int32),
        "value": np.concatenate(values).astype(np.float64),
        "depth": np.array([depth], np.int32),
    }


class Descent:
    """Finds the leaf of each tree that a row falls to.

    Parameters
    ----------
    weights
        What `flatten` returned.
    n_features
        Of a row.
    dtype
        What the values of a row are compared as: what the library compares them as.
    """

    def __init__(self, weights: Weights, n_features: int, dtype: DTypeLike) -> None:
        self._feature = np.asarray(weights["feature"], np.intp)
        self._threshold = np.asarray(weights["threshold"], np.float64)
        self._children = np.asarray(weights["children"], np.intp).ravel()
        self._roots = np.asarray(weights["roots"], np.intp)
        self._depth = int(np.asarray(weights["depth"])[0])
        self._row = np.empty(n_features, dtype)
        self._limit = float(np.finfo(self._row.dtype).max)
        n = len(self._roots)
        self._node, self._at = np.empty((2, n), np.intp)
        self._value = np.empty(n, self._row.dtype)
        self._limits = np.empty(n)
        self._right = np.empty(n, np.bool_)

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the number of each tree's leaf, (n_trees,); it holds until the next call."""
        np.clip(row, -self._limit, self._limit, out=self._row, casting="same_kind")
        node, at = self._node, self._at
        node[:] = self._roots
        for _ in range(self._depth):
            self._feature.take(node, out=at, mode="clip")
            self._row.take(at, out=self._value, mode="clip")
            self._threshold.take(node, out=self._limits, mode="clip")
            np.greater(self._value, self._limits, out=self._right)
            np.multiply(node, 2, out=at)
            at += self._right
            self._children.take(at, out=node, mode="clip")
        return node


def with_width(weights: Weights, training: Training) -> Weights:
    """Return the weights with ``n_features``, which trees do not show otherwise."""
    return {**weights, "n_features": np.array([training.features.shape[1]], np.int64)}


def check_fitted_on(signal: Signal, weights: Weights) -> None:
    """Refuse weights that were fitted on another number of features.

    Raises
    ------
    Mismatch
        The numbers differ.
    """
    check_width(signal.n_channels, int(np.asarray(weights["n_features"])[0]))


class MeanOfTrees:
    """One row → the mean over trees of what their leaves hold.

    Parameters
    ----------
    weights
        What `flatten` returned.
    n_features
        Of a row.
    dtype
        What the values of a row are compared as.
    """

    def __init__(self, weights: Weights, n_features: int, dtype: DTypeLike) -> None:
        self._descent = Descent(weights, n_features, dtype)
        self._value = np.ascontiguousarray(weights["value"], np.float64)
        self._leaves = np.empty((len(weights["roots"]), self._value.shape[1]))

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        """Return (n_out,) numbers."""
        self._value.take(self._descent(row), axis=0, out=self._leaves, mode="clip")
        mean: list[float] = self._leaves.mean(axis=0).tolist()
        return mean
