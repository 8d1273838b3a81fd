"""Which rows a network learns from, and which blocked part of them is held out to stop it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.stage import Mismatch

__all__ = ["crops", "held_out_groups", "held_out_rows", "spread"]

Bools = NDArray[np.bool_]


def held_out_groups(training: Training, share: float, member: int) -> Bools:
    """Return which rows are of the trials held out for `member`: of each class, a block in time.

    Member 0 is checked on the last `share` of the trials of each class, member 1 on the one
    before, and so on in turns: an ensemble's members together have learned from all.

    Raises
    ------
    Mismatch
        A class has fewer than two trials, so none can be held out.
    """
    groups, first = np.unique(training.groups, return_index=True)
    targets = training.targets[first]
    held = np.zeros(len(groups), np.bool_)
    for k, label in enumerate(training.labels):
        of_class = np.flatnonzero(targets == k)
        if len(of_class) < 2:
            raise Mismatch(
                f"class {label!r} has {len(of_class)} trials; at least 2 are needed to learn from "
                "one and to be checked on another"
            )
        held[of_class[_block(len(of_class), share, member)]] = True
    return np.isin(training.groups, groups[held])


def held_out_rows(n: int, share: float, member: int) -> Bools:
    """Return which of `n` rows are held out for `member`: a block of consecutive ones."""
    held = np.zeros(n, np.bool_)
    held[_block(n, share, member)] = True
    return held


def crops(groups: NDArray[np.int64], taken: Bools, length: int, stride: int) -> NDArray[np.int64]:
    """Return the first rows of the stretches of `length` rows, each `stride` after the last one.

    None reaches over the end of a group or over a row that is not `taken`. The last one of each
    piece ends where the piece does, so that every row of one that is long enough is covered.
    """
    number = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
    edges = np.flatnonzero(np.diff(np.where(taken, number, -1), prepend=-1, append=-1))
    firsts: list[NDArray[np.int64]] = []
    for begin, end in pairwise(edges):
        if taken[begin] and end - begin >= length:
            last = end - length
            firsts.append(np.unique(np.append(np.arange(begin, last + 1, stride), last)))
    return np.concatenate([np.empty(0, np.int64), *firsts])


def spread(rows: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of each column, and one over its deviation; 0 for one that never varies."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(np.abs(mean), 1e-12)
    inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return mean.astype(np.float32), inverse.astype(np.float32)


def _block(n: int, share: float, member: int) -> slice:
    """Return the block of `n` that is `member`'s, the last ones first."""
    blocks = min(n, max(2, round(1 / share)))
    number = blocks - 1 - member % blocks
    return slice(round(n * number / blocks), round(n * (number + 1) / blocks))
