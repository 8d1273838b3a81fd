"""The running state of a network that others have made: rows in, what its graph says out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from decoders.classifying.linear import softmax as softmax_of
from decoders.decoder import Moment, Weights
from decoders.onnx.graph import open_graph
from decoders.output import Meaning, Output, Prediction, continuous
from decoders.stage import Mismatch
from devices.signal import Chunk

__all__ = ["ForeignClasses", "ForeignRows", "ForeignValues"]

_LEAST = 1e-12


class ForeignRows:
    """Gives rows to a graph.

    Parameters
    ----------
    weights
        The graph.
    put_in, put_out
        Names of its input and output; empty: the only one that is no state.
    state
        Which input takes what which output gave at the step before.
    n_features
        Of a row.

    Attributes
    ----------
    history
        Rows that the input holds.
    said
        (n,) what the output says of the rows so far.
    """

    def __init__(
        self,
        weights: Weights,
        put_in: str,
        put_out: str,
        state: Mapping[str, str],
        n_features: int,
    ) -> None:
        there = open_graph(weights, {})
        for taking, giving in state.items():
            _named(taking, there.inputs, "input")
            _named(giving, there.outputs, "output")
        self._graph = open_graph(weights, state)
        inputs = [name for name in there.inputs if name not in state]
        outputs = [name for name in there.outputs if name not in state.values()]
        to = self._graph.inputs[_named(put_in or _only(inputs, "input"), inputs, "input")]
        said = self._graph.outputs[_named(put_out or _only(outputs, "output"), outputs, "output")]
        self.history, rest = divmod(to.size, n_features)
        if rest or not self.history:
            raise Mismatch(
                f"the model was fitted on {to.size} features; the steps put out {n_features}, and "
                "no whole number of such rows is as many. Use the stages that it was made for"
            )
        self.said = said.reshape(-1)
        self._to = to.reshape(self.history, n_features)
        self._rows = np.zeros((2 * self.history, n_features), to.dtype)
        self._seen = 0
        self._carries = bool(state)

    def take(self, chunk: Chunk) -> bool:
        """Take rows in; True once the graph has said something of the last one."""
        for number, row in enumerate(chunk.values, 1):
            at = self._seen % self.history
            self._rows[at] = row
            self._rows[at + self.history] = row
            self._seen += 1
            # Without a state only the last row of a block is asked for.
            if self._seen >= self.history and (self._carries or number == len(chunk)):
                begin = self._seen % self.history
                self._to[...] = self._rows[begin : begin + self.history]
                self._graph()
        return len(chunk) > 0 and self._seen >= self.history


class ForeignClasses:
    """Probabilities of classes, made to add up to 1.

    Parameters
    ----------
    rows
        What gives rows to the graph.
    labels
        The classes.
    softmax
        The graph says scores.
    """

    def __init__(self, rows: ForeignRows, labels: tuple[str, ...], softmax: bool) -> None:
        self._rows, self._labels, self._softmax = rows, labels, softmax

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return how likely each class is; nothing while the steps fill."""
        if not self._rows.take(chunk):
            return ()
        said = self._rows.said.astype(np.float64)
        if self._softmax:
            return (Prediction(self._labels, softmax_of(said.tolist())),)
        np.maximum(said, _LEAST, out=said)
        said /= said.sum()
        return (Prediction(self._labels, tuple(said.tolist())),)


class ForeignValues:
    """Values as a command.

    Parameters
    ----------
    rows
        What gives rows to the graph.
    mode, labels, unit
        Of the command.
    """

    def __init__(
        self, rows: ForeignRows, mode: Meaning, labels: tuple[str, ...], unit: str
    ) -> None:
        self._rows, self._mode, self._labels, self._unit = rows, mode, labels, unit

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the last row means; nothing while the steps fill."""
        if not self._rows.take(chunk):
            return ()
        values = tuple(self._rows.said.astype(np.float64).tolist())
        return (continuous(self._mode, self._labels, values, self._unit),)


def _only(names: Sequence[str], what: str) -> str:
    if len(names) != 1:
        raise Mismatch(
            f"the graph has {len(names)} {what}s that are no state ({', '.join(names)}); say "
            f"which with {what} = …"
        )
    return names[0]


def _named(name: str, there: Sequence[str] | Mapping[str, object], what: str) -> str:
    if name not in there:
        raise Mismatch(f"the graph has no {what} {name!r}; it has {', '.join(there)}")
    return name
