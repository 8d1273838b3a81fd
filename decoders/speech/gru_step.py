"""A recurrent network of speech as it runs live: row by row, most of a step done before its end.

A step reads a patch of rows. All that does not need the last one, the recurrent products of every
layer and the share of the rows before, is computed when those rows come; so the last row waits for
about a third of the work only. The sums are the same, in the same order, however the rows come.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, floats

__all__ = ["DayLayer", "SplitGru", "sigmoid"]

Floats = NDArray[np.float32]


class DayLayer:
    """What each row passes before patches are made: deviations and map of the newest day, softsign.

    Parameters
    ----------
    weights
        As `decoders.speech.gru_arrays` says.
    """

    def __init__(self, weights: Weights) -> None:
        self._mean, self._inverse = (
            np.atleast_2d(floats(weights, name))[-1] for name in ("mean", "inverse")
        )
        self._limit = floats(weights, "limit")[0]
        self._matrix, self._bias = floats(weights, DAY_WEIGHT)[-1], floats(weights, DAY_BIAS)[-1]
        self._reduce = floats(weights, "reduce") if "reduce" in weights else None

    def __call__(self, row: NDArray[np.floating]) -> Floats:
        """Return (R,) of a row (F,)."""
        deviations = (row.astype(np.float32) - self._mean) * self._inverse
        moved = np.clip(deviations, -self._limit, self._limit) @ self._matrix + self._bias
        moved /= 1.0 + np.abs(moved)
        return moved if self._reduce is None else moved @ self._reduce


class SplitGru:
    """One stream's recurrent layers: takes rows in turn, and gives scores where a step ends.

    Parameters
    ----------
    weights
        As `decoders.speech.gru_arrays` says.
    """

    def __init__(self, weights: Weights) -> None:
        self._patch, self._stride = (int(n) for n in weights["steps"])
        self._first, self._deeper, self._recurrent = (
            floats(weights, name) for name in ("input", "deeper", "hidden")
        )
        self._input_bias = floats(weights, "input bias")
        self._hidden_bias = floats(weights, "hidden bias")
        self._output, self._output_bias = floats(weights, "output"), floats(weights, "output bias")
        self._n_layers, self._units = len(self._recurrent), self._recurrent.shape[2]
        counts = [len(range(p, self._patch, self._stride)) for p in range(self._stride)]
        # By phase: which places of ``input`` a row takes.
        self._spans = list(pairwise(accumulate(counts, initial=0)))
        # Patches that are open at once, each with the sum of what its rows have given.
        self._sums = np.zeros((-(-self._patch // self._stride), 3 * self._units), np.float32)
        self._state = np.tile(floats(weights, "initial"), (self._n_layers, 1))
        self._ahead = np.empty((self._n_layers, 3 * self._units), np.float32)
        self._owed: list[int] = list(range(self._n_layers))
        self._kept: Floats | None = None
        self._seen = 0

    def __call__(self, row: Floats) -> Floats | None:
        """Return (K,) scores if `row` (R,) ends a step."""
        self._take_what_was_kept()
        phase, turn = self._seen % self._stride, self._seen // self._stride
        begin, end = self._spans[phase]
        left = (self._patch - 1 - self._seen) % self._stride
        ends = left == 0 and self._seen >= self._patch - 1
        self._seen += 1
        if not ends:
            self._add(row, begin, end, turn)
            self._catch_up(left)
            return None
        self._catch_up(0)
        # Of the places that this row takes, the patch's last is the last; the others can wait.
        slot = self._sums[(turn - (end - begin) + 1) % len(self._sums)]
        scores = self._step(slot + self._first[end - 1] @ row)
        self._kept = row
        return scores

    def _take_what_was_kept(self) -> None:
        if self._kept is not None:
            at = self._seen - 1
            begin, end = self._spans[at % self._stride]
            self._add(self._kept, begin, end - 1, at // self._stride)
            self._kept = None

    def _add(self, row: Floats, begin: int, end: int, turn: int) -> None:
        """Add a row's share to the patches that it is part of; the newest begins with it."""
        if begin == end:
            return
        width = self._first.shape[2]
        shares = (self._first[begin:end].reshape(-1, width) @ row).reshape(end - begin, -1)
        for back, share in enumerate(shares):
            slot = self._sums[(turn - back) % len(self._sums)]
            if back == 0 and begin == 0:
                slot[...] = share
            else:
                slot += share

    def _catch_up(self, left: int) -> None:
        """Compute of the recurrent products what has to be done with `left` rows to the step."""
        for _ in range(-(-len(self._owed) // max(1, left))):
            layer = self._owed.pop()
            np.dot(self._recurrent[layer], self._state[layer], out=self._ahead[layer])
            self._ahead[layer] += self._hidden_bias[layer]

    def _step(self, share: Floats) -> Floats:
        units = self._units
        for layer in range(self._n_layers):
            if layer:
                share = self._deeper[layer - 1] @ self._state[layer - 1]
            share += self._input_bias[layer]
            ahead, state = self._ahead[layer], self._state[layer]
            gates = sigmoid(share[: 2 * units] + ahead[: 2 * units])
            new = np.tanh(share[2 * units :] + gates[:units] * ahead[2 * units :])
            state -= new
            state *= gates[units:]
            state += new
        self._owed = list(range(self._n_layers))
        return self._output @ self._state[-1] + self._output_bias


def sigmoid(x: Floats) -> Floats:
    """Return the logistic function of each number."""
    # By the hyperbolic tangent: the exponential would overflow.
    return np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5)
