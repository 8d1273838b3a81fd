"""The live step of a recurrent network of speech in ONNX Runtime, in two halves: for 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.onnx.graph import GRAPH, open_graph
from decoders.speech.gru_arrays import floats

__all__ = ["AHEAD", "NOW", "GraphGru"]

AHEAD, NOW = "onnx ahead", "onnx now"
"""Names of the arrays of weights that hold the two graphs' bytes."""

Floats = NDArray[np.float32]


class GraphGru:
    """One stream's recurrent layers: takes rows in turn, and gives scores where a step ends.

    The first half, which reads all rows of a patch but the last, runs one row before the end.

    Parameters
    ----------
    weights
        As `decoders.speech.gru_arrays` says, with the two graphs.
    """

    def __init__(self, weights: Weights) -> None:
        self._patch, self._stride = (int(n) for n in weights["steps"])
        self._ahead = open_graph({GRAPH: weights[AHEAD]}, {})
        self._now = open_graph({GRAPH: weights[NOW]}, {"state": "next_state"})
        self._state = self._now.inputs["state"]
        self._state[...] = floats(weights, "initial")
        width = self._now.inputs["row"].shape[1]
        # Written twice, a patch apart, so that the last rows always lie in one piece.
        self._rows = np.zeros((2 * self._patch, width), np.float32)
        self._is_ahead = False
        self._seen = 0

    def __call__(self, row: Floats) -> Floats | None:
        """Return (K,) scores if `row` (R,) ends a step."""
        left = (self._patch - 1 - self._seen) % self._stride
        ends = left == 0 and self._seen >= self._patch - 1
        scores = self._end(row) if ends else None
        at = self._seen % self._patch
        self._rows[at] = self._rows[at + self._patch] = row
        self._seen += 1
        if left == 1 and self._seen >= self._patch - 1:
            self._look_ahead()
        return scores

    def _look_ahead(self) -> None:
        """Do all that does not need the row that comes next."""
        early = self._patch - 1
        begin = (self._seen - early) % self._patch
        self._ahead.inputs["rows"][0] = self._rows[begin : begin + early].reshape(-1)
        self._ahead.inputs["state"][...] = self._state
        self._ahead()
        for name, array in self._ahead.outputs.items():
            self._now.inputs[name][...] = array
        self._is_ahead = True

    def _end(self, row: Floats) -> Floats:
        if not self._is_ahead:  # each row ends a step
            self._look_ahead()
        self._is_ahead = False
        self._now.inputs["row"][0] = row
        self._now()
        return self._now.outputs["scores"][0].copy()
