"""What linear classifiers share: scores that are linear in the features, and their softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Moment, Training, Weights
from decoders.output import Output, Prediction
from decoders.stage import Mismatch
from devices.signal import Chunk

__all__ = ["LinearClassification", "check_classes", "check_width", "linear_weights", "softmax"]


def check_classes(training: Training, least: int = 2) -> None:
    """Refuse a training that no classifier can be fitted on.

    Raises
    ------
    Mismatch
        There are fewer than two classes, or one of them has less than `least` rows.
    """
    if len(training.labels) < 2:
        raise Mismatch(
            f"a classifier needs two classes or more; the trials have {list(training.labels)}"
        )
    counts = np.bincount(training.targets.astype(np.int64), minlength=len(training.labels))
    for label, n in zip(training.labels, counts, strict=True):
        if n < least:
            raise Mismatch(
                f"class {label!r} has {n} rows to fit on; at least {least} are needed. "
                "Record more trials of it"
            )


def check_width(n_features: int, fitted: int) -> None:
    """Refuse weights that were fitted on another number of features.

    Raises
    ------
    Mismatch
        The numbers differ.
    """
    if n_features != fitted:
        raise Mismatch(
            f"the model was fitted on {fitted} features; the steps put out {n_features}. "
            "Use the stages and channels of the calibration, or calibrate again"
        )


def linear_weights(model: Any) -> Weights:
    """Return a fitted scikit-learn linear classifier as one row of weights a class.

    A binary one has a single row; with a row of zeros before it, the softmax of both rows is its
    logistic function.
    """
    coef = np.asarray(model.coef_, np.float64)
    intercept = np.asarray(model.intercept_, np.float64)
    if len(coef) == 1:
        coef = np.vstack([np.zeros_like(coef), coef])
        intercept = np.concatenate([[0.0], intercept])
    return {"coef": coef, "intercept": intercept}


def softmax(scores: Sequence[float]) -> tuple[float, ...]:
    """Return probabilities that add up to 1, proportional to the exponentials of `scores`."""
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)


class LinearClassification:
    """The running state of every classifier that is linear in (some map of) the features.

    Parameters
    ----------
    labels
        The classes, one for each row of the weights.
    weights
        ``coef``, (n_classes, n_mapped), and ``intercept``, (n_classes,).
    mapped
        Turns one row of features, (n_features,), into (n_mapped,); None: the row itself.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        weights: Weights,
        mapped: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    ) -> None:
        self._labels = labels
        self._coef = np.ascontiguousarray(weights["coef"], np.float64)
        self._intercept = np.asarray(weights["intercept"], np.float64)
        self._mapped = mapped

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return how likely each class is; nothing while the steps fill."""
        if not len(chunk):
            return ()
        row = chunk.values[-1]
        if self._mapped is not None:
            row = self._mapped(row)
        scores = self._coef @ row
        scores += self._intercept
        return (Prediction(self._labels, softmax(scores.tolist())),)
