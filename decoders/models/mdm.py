"""Minimum distance to the mean of covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.linear import check_classes, check_width, softmax
from decoders.output import Output, Prediction
from decoders.spd import inverse_root, matrices, n_triangle, symmetric_index
from devices.signal import Chunk, Signal

__all__ = ["Mdm"]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Mdm:
    r"""Which class is it, by which class's mean covariance is nearest.

    The distance is Riemann's, :math:`d_k^2 = \sum_i \ln^2 \lambda_i(M_k^{-1} C)`, with
    :math:`M_k` the Riemannian mean of the class; probabilities are the softmax of :math:`-d_k^2`,
    as pyriemann's (Barachant et al., IEEE Trans. Biomed. Eng. 59, 2012). Nothing to tune. Wants a
    covariance as the last stage.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from pyriemann.classification import MDM

        check_classes(training)
        model = MDM(metric="riemann").fit(matrices(training.features), training.targets)
        return {"whitening": np.stack([inverse_root(mean) for mean in model.covmeans_])}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, n_triangle(weights["whitening"].shape[1]))
        return _Running(labels, weights)


class _Running:
    def __init__(self, labels: tuple[str, ...], weights: Weights) -> None:
        self._labels = labels
        self._whitening = np.ascontiguousarray(weights["whitening"], np.float64)
        n = self._whitening.shape[1]
        self._index = symmetric_index(n)
        self._full = np.empty((n, n))
        self._half, self._white = np.empty((2, *self._whitening.shape))

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        chunk.values[-1].take(self._index, out=self._full)
        np.matmul(self._whitening, self._full, out=self._half)
        np.matmul(self._half, self._whitening, out=self._white)
        values = np.linalg.eigvalsh(self._white)
        np.maximum(values, _TINY, out=values)
        np.log(values, out=values)
        values *= values
        scores = -values.sum(axis=1)
        return (Prediction(self._labels, softmax(scores.tolist())),)
