"""A Conformer of speech as it runs live: its state is the last steps' keys, values and gated sums.

Of each block the keys and values of the last `context` steps are kept, and what its convolution
read of the last `kernel` steps: memory of a fixed size, allocated at the start.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.conformer_arrays import BLOCKS, of_block
from decoders.speech.gru_arrays import floats
from decoders.speech.gru_step import sigmoid

__all__ = ["ConformerSteps"]

Floats = NDArray[np.float32]

# That of torch's layer normalisation.
_EPSILON = np.float32(1e-5)


class ConformerSteps:
    """One stream's Conformer: takes rows in turn, and gives scores where a step ends.

    Parameters
    ----------
    weights
        As `decoders.speech.conformer_arrays` says.
    """

    def __init__(self, weights: Weights) -> None:
        self._patch, self._stride = (int(n) for n in weights["steps"])
        self._input = _Linear(floats(weights, "input"), floats(weights, "input bias"))
        self._output = _Linear(floats(weights, "output"), floats(weights, "output bias"))
        n_blocks = len(weights[f"{BLOCKS}norm.weight"])
        self._blocks = [_Block(of_block(weights, number)) for number in range(n_blocks)]
        self._rows = _Last(self._patch, (floats(weights, "input").shape[1] // self._patch,))
        self._seen = 0

    def __call__(self, row: Floats) -> Floats | None:
        """Return (K,) scores if `row` (R,) ends a step."""
        patch = self._rows.add(row)
        self._seen += 1
        past = self._seen - self._patch
        if past < 0 or past % self._stride:
            return None
        x = self._input(patch.reshape(-1))
        for block in self._blocks:
            block(x)
        return self._output(x).copy()


class _Block:
    """Turns a step's numbers to what the block makes of them, in place."""

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._first = _FeedForward(arrays, "first")
        self._attention = _Attention(arrays)
        self._convolution = _Convolution(arrays)
        self._second = _FeedForward(arrays, "second")
        self._gain, self._shift = arrays["norm.weight"], arrays["norm.bias"]

    def __call__(self, x: Floats) -> None:
        x += self._first(x)
        x += self._attention(x)
        x += self._convolution(x)
        x += self._second(x)
        np.multiply(_normed(x), self._gain, out=x)
        x += self._shift


class _FeedForward:
    def __init__(self, arrays: Mapping[str, Floats], name: str) -> None:
        self._inner = _Linear.of(arrays, f"{name}.inner")
        self._outer = _Linear.of(arrays, f"{name}.outer")

    def __call__(self, x: Floats) -> Floats:
        hidden = self._inner(_normed(x))
        hidden *= sigmoid(hidden)
        half = self._outer(hidden)
        half *= np.float32(0.5)
        return half


class _Attention:
    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._parts = _Linear.of(arrays, "attention.parts")
        self._mixed = _Linear.of(arrays, "attention.mixed")
        self._positions = np.ascontiguousarray(arrays["attention.positions"].transpose(1, 0, 2))
        context, heads, width = self._positions.shape
        self._scale = np.float32(1 / np.sqrt(width))
        self._keys, self._values = (_Last(context, (heads, width)) for _ in range(2))
        self._placed = np.empty((context, heads, width), np.float32)
        self._seen = 0

    def __call__(self, x: Floats) -> Floats:
        context, heads, width = self._placed.shape
        query, key, value = self._parts(_normed(x)).reshape(3, heads, width)
        self._seen = n = min(self._seen + 1, context)
        keys, values = self._keys.add(key)[-n:], self._values.add(value)[-n:]
        placed = np.add(keys, self._positions[-n:], out=self._placed[:n])
        scores = np.matmul(placed.transpose(1, 0, 2), query[:, :, np.newaxis])[:, :, 0]
        scores *= self._scale
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores, out=scores)
        shares /= shares.sum(axis=1, keepdims=True)
        said = np.matmul(shares[:, np.newaxis], values.transpose(1, 0, 2))
        return self._mixed(said.reshape(-1))


class _Convolution:
    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._opened = _Linear.of(arrays, "convolution.opened")
        self._closed = _Linear.of(arrays, "convolution.closed")
        self._kernel = np.ascontiguousarray(arrays["convolution.depthwise.weight"][:, 0].T)
        self._bias = arrays["convolution.depthwise.bias"]
        self._gain, self._shift = (arrays[f"convolution.norm.{n}"] for n in ("weight", "bias"))
        self._last = _Last(len(self._kernel), self._kernel.shape[1:])
        self._products = np.empty_like(self._kernel)

    def __call__(self, x: Floats) -> Floats:
        values, gates = self._opened(_normed(x)).reshape(2, -1)
        values *= sigmoid(gates)
        products = np.multiply(self._last.add(values), self._kernel, out=self._products)
        followed = _normed(products.sum(axis=0) + self._bias)
        followed *= self._gain
        followed += self._shift
        followed *= sigmoid(followed)
        return self._closed(followed)


class _Linear:
    """A product and a bias; what it returns is overwritten by the next call."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        self._weight, self._bias = np.ascontiguousarray(weight), bias
        self._out = np.empty(len(bias), np.float32)

    @classmethod
    def of(cls, arrays: Mapping[str, Floats], name: str) -> _Linear:
        return cls(arrays[f"{name}.weight"], arrays[f"{name}.bias"])

    def __call__(self, x: Floats) -> Floats:
        np.dot(self._weight, x, out=self._out)
        self._out += self._bias
        return self._out


class _Last:
    """The last `n` of what is added, zeros before, the oldest first and in one piece."""

    def __init__(self, n: int, shape: tuple[int, ...]) -> None:
        self._n, self._at = n, 0
        # Each is written twice, so that any n that follow each other lie side by side.
        self._both = np.zeros((2 * n, *shape), np.float32)

    def add(self, newest: Floats) -> Floats:
        at = self._at
        self._both[at] = self._both[at + self._n] = newest
        self._at = (at + 1) % self._n
        return self._both[at + 1 : at + 1 + self._n]


def _normed(x: Floats) -> Floats:
    centred: Floats = x - x.mean()
    centred /= np.sqrt(centred @ centred / np.float32(len(x)) + _EPSILON)
    return centred
