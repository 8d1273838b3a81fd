"""Weighs the readings of an utterance again, once it has ended, by a network of the next word.

An n-gram model knows two words before; a recurrent network all of them. A word's probability is a
mixture of both: (1 - share) · n-gram + share · network. So no word loses more than log(1 - share),
and one that the network does not know, such as a name, keeps what the n-gram model says of it.

The work is bounded: of the readings, the best are taken whose words, as a tree, have at most
`MOST_WORDS` nodes; the others are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.speech.kneser_ney import END
from decoders.speech.lexicon import Lexicon
from decoders.speech.next_word import NextWord
from decoders.speech.search import LN_10, Readings, ranked

__all__ = ["MOST_WORDS", "Rescoring"]

MOST_WORDS = 256
"""Nodes of the tree of words that are weighed at the end of an utterance."""

_UNKNOWN = 0
Text = tuple[int, ...]


@dataclass(slots=True)
class _Tree:
    """Words after words: each node is one, with the node before it; the root, 0, is none.

    Parameters
    ----------
    before, words, depths
        Of each node: the one before it, its word's number in the lexicon, its distance to the root.
    """

    before: list[int] = field(default_factory=lambda: [0])
    words: list[int] = field(default_factory=lambda: [-1])
    depths: list[int] = field(default_factory=lambda: [0])
    _nodes: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.words)

    def n_new(self, text: Text) -> int:
        """Return how many nodes a text would add."""
        node = 0
        for i, word in enumerate(text):
            if (found := self._nodes.get((node, word))) is None:
                return len(text) - i
            node = found
        return 0

    def add(self, text: Text) -> int:
        """Return the last node of a text, which is added."""
        node = 0
        for word in text:
            if (node, word) not in self._nodes:
                self._nodes[node, word] = len(self)
                self.before.append(node)
                self.words.append(word)
                self.depths.append(self.depths[node] + 1)
            node = self._nodes[node, word]
        return node


class Rescoring:
    """Weighs readings.

    Parameters
    ----------
    lexicon
        What the words of readings are, and the n-gram model that they were scored with.
    network
        Of the next word.
    share
        Of the network in the mixture, between 0 and 1.
    language
        How much the language counts against the phonemes.
    """

    def __init__(self, lexicon: Lexicon, network: NextWord, share: float, language: float) -> None:
        self._lexicon, self._network = lexicon, network
        self._log_rest, self._log_share = math.log1p(-share), math.log(share)
        self._language = language

    def __call__(self, readings: Readings, before: Sequence[int]) -> Readings:
        """Return the best of the readings, scored anew; `before` are the words that all begin with.

        Nothing that `before` says is weighed, for it is the same for all.
        """
        if len(readings) < 2:
            return readings
        tree = _Tree()
        lasts: list[int] = []
        for text in readings.texts(len(readings)):
            if lasts and len(tree) + tree.n_new(text) > MOST_WORDS:
                break
            lasts.append(tree.add(text))
        gains = self._gains(tree, np.array(lasts), before)
        some = readings.part(np.arange(len(lasts)))
        return ranked(replace(some, scores=some.scores + self._language * gains))

    def _gains(
        self, tree: _Tree, lasts: NDArray[np.int64], before: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return by how much the logarithm of each text, by its last node, is more than before."""
        known = self._network.numbers
        numbers = [known.get(self._lexicon.word(w), _UNKNOWN) for w in tree.words[1:]]
        words, parents = np.array([_UNKNOWN, *numbers]), np.array(tree.before)
        counted, ends = self._counted(tree, lasts, before)
        states = self._states(tree, words, before)
        gains = self._mixed(counted, states[parents], words)
        gains[0] = 0.0
        for node in range(1, len(tree)):
            gains[node] += gains[parents[node]]
        end = np.full(len(lasts), known[END])
        return gains[lasts] + self._mixed(ends, states[lasts], end)

    def _mixed(
        self, counted: NDArray[np.float64], states: NDArray[np.float32], words: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return by how much the mixture is more than what was `counted`; unknown words: 0."""
        likely = self._network.log_likely(states, words)
        mixed = np.logaddexp(self._log_rest + counted, self._log_share + likely)
        return np.where(words == _UNKNOWN, 0.0, mixed - counted)

    def _states(
        self, tree: _Tree, words: NDArray[np.int64], before: Sequence[int]
    ) -> NDArray[np.float32]:
        """Return the network's state after each node."""
        network = self._network
        state = network.start
        for word in before:
            number = network.numbers.get(self._lexicon.word(word), _UNKNOWN)
            state = network.after(state, np.array([number]))
        states = np.repeat(state, len(tree), axis=0)
        depths, parents = np.array(tree.depths), np.array(tree.before)
        for depth in range(1, int(depths.max()) + 1):
            nodes = np.flatnonzero(depths == depth)
            states[nodes] = network.after(states[parents[nodes]], words[nodes])
        return states

    def _counted(
        self, tree: _Tree, lasts: NDArray[np.int64], before: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the n-gram model says of each node, and of the end after each of `lasts`."""
        model = self._lexicon.model
        start: Any = model.start(False)
        for word in before:
            start = model.score(start, word)[0]
        states, scores = [start], [0.0]
        for parent, word in zip(tree.before[1:], tree.words[1:], strict=True):
            state, score = model.score(states[parent], word)
            states.append(state)
            scores.append(score)
        ends = [model.finish(states[node])[1] for node in lasts.tolist()]
        return LN_10 * np.array(scores), LN_10 * np.array(ends)
