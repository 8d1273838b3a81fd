"""What every network of speech says live: a prediction over phonemes at the end of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Moment, Weights
from decoders.output import Output, Prediction
from decoders.speech.gru_step import DayLayer
from devices.signal import Chunk

__all__ = ["SpokenSteps", "Steps", "softmax"]

Floats = NDArray[np.float32]
Steps = Callable[[Floats], Floats | None]
"""Takes a row that has passed the day layer; gives scores (K,) where a step ends."""


class SpokenSteps:
    """The decoding: a prediction over the phonemes at the end of each step, nothing between.

    Parameters
    ----------
    labels
        The classes.
    n_features
        Of a row.
    weights
        Those of `DayLayer`.
    steps
        The rest of the network, at the start of a run.
    """

    def __init__(
        self, labels: tuple[str, ...], n_features: int, weights: Weights, steps: Steps
    ) -> None:
        check_width(n_features, weights["mean"].shape[-1])
        self._labels = labels
        self._day = DayLayer(weights)
        self._steps = steps

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what was said in the steps that end in this block."""
        return tuple(self._said(chunk))

    def _said(self, chunk: Chunk) -> Iterator[Output]:
        for row in chunk.values:
            scores = self._steps(self._day(row))
            if scores is not None:
                yield Prediction(self._labels, tuple(softmax(scores).tolist()))


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities, along the last axis."""
    above = scores.astype(np.float64)
    odds: NDArray[np.float64] = np.exp(above - above.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
