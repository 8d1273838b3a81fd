"""What classifiers share whose probabilities follow from the newest row alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Moment
from decoders.output import Output, Prediction
from devices.signal import Chunk

__all__ = ["Classification"]


class Classification:
    """The running state of a classifier without memory.

    Parameters
    ----------
    labels
        The classes.
    probabilities
        Turns one row of features, (n_features,), into one probability a class.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        probabilities: Callable[[NDArray[np.float64]], Sequence[float]],
    ) -> None:
        self._labels = labels
        self._probabilities = probabilities

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return how likely each class is; nothing while the steps fill."""
        if not len(chunk):
            return ()
        return (Prediction(self._labels, tuple(self._probabilities(chunk.values[-1]))),)
