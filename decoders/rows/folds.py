"""Which trials are left out together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training

__all__ = ["mixed_trial_folds", "trial_folds"]


def trial_folds(training: Training, most: int) -> Iterator[NDArray[np.bool_]]:
    """Yield, a fold, which rows are left out: whole trials, of each class in the order of time.

    Parameters
    ----------
    training
        Trials of classes.
    most
        Folds at most; fewer where a class has fewer trials.
    """
    groups, first = np.unique(training.groups, return_index=True)
    truths = training.targets[first]
    counts = [int((truths == k).sum()) for k in range(len(training.labels))]
    n_folds = min(most, *counts)
    fold_of = np.empty(len(groups), np.int64)
    for k, n in enumerate(counts):
        fold_of[truths == k] = np.arange(n) * n_folds // n
    for fold in range(n_folds):
        yield np.isin(training.groups, groups[fold_of == fold])


def mixed_trial_folds(training: Training, most: int) -> Iterator[NDArray[np.bool_]]:
    """Yield, a fold, which rows are left out: consecutive whole trials, of whatever classes."""
    groups = np.unique(training.groups)
    n_folds = min(most, len(groups))
    fold_of = np.arange(len(groups)) * n_folds // len(groups)
    for fold in range(n_folds):
        yield np.isin(training.groups, groups[fold_of == fold])
