"""A recurrent network of the next word, as it runs: one layer of gated units in numpy, no torch.

Its words are the frequent ones, in the order of their frequency. The most frequent are weighed
directly; the others in tails, each through fewer numbers, and only where one is asked for (adaptive
softmax: Grave et al., ICML 2017). With V words, E numbers a word, U units and C tails, float16 on
disk and float32 in memory:

- ``embedding`` (V, E); ``input`` (3 U, E), ``hidden`` (3 U, U), ``input bias``, ``hidden bias``
  (3 U,): gates in the order reset, update, new.
- ``head`` (first + C, U), ``head bias``: the words up to the first tail, and each tail as a whole.
- ``down N`` (D, U), ``up N`` (words of the tail, D): of each tail.
- ``ends`` (1 + C,) int64: where the head's words and those of each tail end.
- ``words`` (n,) uint8: the words, in UTF-8, a line each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.speech.kneser_ney import BEGIN, END, UNKNOWN
from decoders.storage import ArtifactError

__all__ = ["SPECIAL", "NextWord", "write"]

SPECIAL = (UNKNOWN, BEGIN, END)
"""The first words of every network."""

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

_HALF = 0.5


def write(path: Path, words: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a network: its words, and its other arrays, the floating ones in 16 bits."""
    from safetensors.numpy import save

    half = {
        name: np.ascontiguousarray(a, np.float16 if np.issubdtype(a.dtype, np.floating) else None)
        for name, a in arrays.items()
    }
    text = np.frombuffer("\n".join(words).encode(), np.uint8)
    path.write_bytes(save({**half, "words": text}))  # with the rights of any file, as the others


class NextWord:
    """Says how likely each word is after others.

    Parameters
    ----------
    arrays
        As the module says.

    Attributes
    ----------
    numbers
        The number of each word that it knows; what it does not know is 0.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        words = arrays["words"].tobytes().decode().split("\n")
        self.numbers = {word: number for number, word in enumerate(words)}
        floats = {
            name: a.astype(np.float32)
            for name, a in arrays.items()
            if np.issubdtype(a.dtype, np.floating)
        }
        self._embedding = floats["embedding"]
        self._input, self._input_bias = floats["input"], floats["input bias"]
        self._hidden, self._hidden_bias = floats["hidden"], floats["hidden bias"]
        self._head, self._head_bias = floats["head"], floats["head bias"]
        self._ends: list[int] = arrays["ends"].tolist()
        self._tails = [(floats[f"down {i}"], floats[f"up {i}"]) for i in range(len(self._ends) - 1)]
        self._check(len(words))

    @classmethod
    def read(cls, path: Path) -> NextWord:
        """Read one from a file.

        Raises
        ------
        ArtifactError
            It is no such network.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return cls(load_file(path))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(f"{path} is no network of the next word: {error}") from None

    @property
    def start(self) -> Floats:
        """The state, (1, U), at the begin of a sentence."""
        nothing = np.zeros((1, self._hidden.shape[1]), np.float32)
        return self.after(nothing, np.array([self.numbers[BEGIN]]))

    def after(self, states: Floats, words: Numbers) -> Floats:
        """Return the states, (n, U), once each of `words` (n,) has followed `states` (n, U)."""
        units = states.shape[1]
        share = self._embedding[words] @ self._input.T + self._input_bias
        ahead = states @ self._hidden.T + self._hidden_bias
        gates = _sigmoid(share[:, : 2 * units] + ahead[:, : 2 * units])
        new = np.tanh(share[:, 2 * units :] + gates[:, :units] * ahead[:, 2 * units :])
        return new + gates[:, units:] * (states - new)

    def log_likely(self, states: Floats, words: Numbers) -> NDArray[np.float64]:
        """Return how likely each of `words` (n,) follows in `states` (n, U), a logarithm."""
        first = self._ends[0]
        which = np.searchsorted(self._ends, words, side="right")  # 0: the head, else the tail
        head = _log_softmax(states @ self._head.T + self._head_bias)
        places = np.where(which == 0, words, first + which - 1)
        likely = head[np.arange(len(words)), places]
        for i, (begin, _) in enumerate(pairwise(self._ends)):
            rows = np.flatnonzero(which == i + 1)
            if len(rows):
                down, up = self._tails[i]
                tail = _log_softmax(states[rows] @ down.T @ up.T)
                likely[rows] += tail[np.arange(len(rows)), words[rows] - begin]
        return likely

    def _check(self, n_words: int) -> None:
        """Refuse arrays that do not fit together.

        Raises
        ------
        ValueError
            Says which.
        """
        units = self._hidden.shape[1]
        sizes = {
            "words": (len(self.numbers), n_words),
            "embedding": (len(self._embedding), n_words),
            "ends": (self._ends[-1], n_words),
            "hidden": (len(self._hidden), 3 * units),
            "input": (len(self._input), 3 * units),
            "head": (len(self._head), self._ends[0] + len(self._tails)),
            **{
                f"up {i}": (len(up), end - begin)
                for i, ((_, up), (begin, end)) in enumerate(
                    zip(self._tails, pairwise(self._ends), strict=True)
                )
            },
        }
        for name, (found, wanted) in sizes.items():
            if found != wanted:
                raise ValueError(f"{name} has {found} rows, not {wanted}")
        if missing := set(SPECIAL) - self.numbers.keys():
            raise ValueError(f"its words lack {', '.join(sorted(missing))}")


def _log_softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    above = scores - scores.max(axis=1, keepdims=True)
    return (above - np.log(np.exp(above).sum(axis=1, keepdims=True))).astype(np.float64)


def _sigmoid(x: Floats) -> Floats:
    # By the hyperbolic tangent: the exponential would overflow.
    return np.float32(_HALF) * np.tanh(np.float32(_HALF) * x) + np.float32(_HALF)
