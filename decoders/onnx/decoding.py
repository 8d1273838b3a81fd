"""The running states of decoders that are ONNX graphs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decoders.classifying.linear import check_width
from decoders.decoder import Moment, Weights
from decoders.onnx.graph import open_graph
from decoders.output import Meaning, Output, Prediction, continuous
from devices.signal import Chunk

__all__ = ["HistoryValues", "RecurrentValues", "WindowClasses"]


class WindowClasses:
    """Probabilities of classes, of the newest row alone.

    Parameters
    ----------
    labels
        The classes.
    n_features
        Of a row.
    weights
        The graph takes ``window``, (1, …) and as many numbers as a row has, and gives
        ``probabilities``, (1, n_classes).
    """

    def __init__(self, labels: tuple[str, ...], n_features: int, weights: Weights) -> None:
        self._labels = labels
        self._graph = open_graph(weights)
        check_width(n_features, self._graph.inputs["window"].size)
        self._window = self._graph.inputs["window"].reshape(-1)
        self._probabilities = self._graph.outputs["probabilities"][0]

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return how likely each class is; nothing while the steps fill."""
        if not len(chunk):
            return ()
        self._window[...] = chunk.values[-1]
        self._graph()
        said = self._probabilities.astype(np.float64)
        said /= said.sum()
        return (Prediction(self._labels, tuple(said.tolist())),)


class RecurrentValues:
    """Values of each row and of a state that is carried from row to row.

    Parameters
    ----------
    mode, labels, unit
        Of the command.
    n_features
        Of a row.
    weights
        The graph takes ``row``, (1, n_features), and ``state``, at first all 0, and gives
        ``values``, (1, n_values), and ``next_state``.
    """

    def __init__(
        self, mode: Meaning, labels: tuple[str, ...], unit: str, n_features: int, weights: Weights
    ) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._graph = open_graph(weights)
        self._row = self._graph.inputs["row"][0]
        check_width(n_features, len(self._row))
        self._values = self._graph.outputs["values"][0]

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the last row means; nothing while the steps fill."""
        if not len(chunk):
            return ()
        for row in chunk.values:
            self._row[...] = row
            self._graph()
        return (continuous(self._mode, self._labels, tuple(self._values.tolist()), self._unit),)


class HistoryValues:
    """Values of the newest rows together; nothing until they have been seen.

    The rows lie in one piece of memory, newest last, each written twice, a history apart.

    Parameters
    ----------
    mode, labels, unit
        Of the command.
    n_features
        Of a row.
    weights
        The graph takes ``rows``, (1, n_rows, n_features), and gives ``values``, (1, n_values).
    """

    def __init__(
        self, mode: Meaning, labels: tuple[str, ...], unit: str, n_features: int, weights: Weights
    ) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        self._graph = open_graph(weights)
        self._input = self._graph.inputs["rows"][0]
        self._history = len(self._input)
        check_width(n_features, self._input.shape[1])
        self._rows = np.zeros((2 * self._history, n_features), np.float32)
        self._values = self._graph.outputs["values"][0]
        self._seen = 0

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the rows up to the last mean."""
        if not len(chunk):
            return ()
        for row in chunk.values:
            at = self._seen % self._history
            self._rows[at] = row
            self._rows[at + self._history] = row
            self._seen += 1
        if self._seen < self._history:
            return ()
        begin = self._seen % self._history
        self._input[...] = self._rows[begin : begin + self._history]
        self._graph()
        return (continuous(self._mode, self._labels, tuple(self._values.tolist()), self._unit),)
