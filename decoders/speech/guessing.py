"""The word that is being said, before its end is heard: how likely each is, by all that is known.

The search knows a word once it hears the boundary after it. Here the word that has begun is weighed
before that: each reading of the beam counts by how good it is, and shares out among the words that
begin as it was heard by how likely the n-gram model holds them after its words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from decoders.speech.confidence import SHARPNESS
from decoders.speech.lexicon import Lexicon
from decoders.speech.search import LN_10, Begun, Weighing

__all__ = ["Guess", "Guesses"]

_WORDS = 32  # that begin as what is heard
_LEAST = 1e-3  # a word that is less likely among them is left out
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class Guess:
    """Which word is being said.

    Parameters
    ----------
    begun
        The reading that it is of: the best one.
    shares
        How likely each word is there, the likeliest first; the rest is that there is none.
    """

    begun: Begun
    shares: tuple[tuple[int, float], ...]


class Guesses:
    """Weighs the words of one utterance at a time.

    Parameters
    ----------
    lexicon
        The words, and how likely each is after others.
    weighing
        What the search weighs.
    """

    def __init__(self, lexicon: Lexicon, weighing: Weighing) -> None:
        self._lexicon = lexicon
        self._language, self._word = weighing.language * LN_10, weighing.word
        self.begin()

    def begin(self) -> None:
        """Begin an utterance."""
        self._states: dict[tuple[int, ...], Any] = {(): self._lexicon.model.start(False)}
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], _Words] = {}

    def __call__(self, readings: Sequence[Begun], before: tuple[int, ...]) -> Guess | None:
        """Return which word the best of the readings has begun; None if it has not.

        `before` are the words that all of them begin with, and that they lack.
        """
        weighed = [(self._weighed(each, before), each) for each in readings]
        most, best = max(weighed, key=lambda each: each[0])
        if not best.phonemes:
            return None
        place = len(best.words)
        votes: dict[int, float] = {}
        for score, each in weighed:
            mass = math.exp(SHARPNESS * (score - most))
            for word, share in self._there(each, place, before):
                votes[word] = votes.get(word, 0.0) + mass * share
        total = sum(votes.values())
        votes.pop(_NOTHING, None)
        ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
        return Guess(best, tuple((word, vote / total) for word, vote in ranked))

    def _weighed(self, reading: Begun, before: tuple[int, ...]) -> float:
        """Return how good a reading is with the likeliest word that it may have begun."""
        if not reading.phonemes:
            return reading.score
        most = self._words(reading, before).most
        return reading.score + self._language * most + self._word

    def _there(
        self, reading: Begun, place: int, before: tuple[int, ...]
    ) -> Sequence[tuple[int, float]]:
        if len(reading.words) > place:
            return ((reading.words[place], 1.0),)
        if len(reading.words) < place or not reading.phonemes:
            return ((_NOTHING, 1.0),)
        return self._words(reading, before).shares

    def _words(self, reading: Begun, before: tuple[int, ...]) -> _Words:
        key = (*before, *reading.words), reading.phonemes
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, words: tuple[int, ...], phonemes: tuple[int, ...]) -> _Words:
        model, state = self._lexicon.model, self._state(words)
        numbers = self._lexicon.beginning(phonemes, _WORDS)
        scores = [float(model.score(state, number)[1]) for number in numbers]
        most = max(scores)
        likely = [10 ** (score - most) for score in scores]
        total = sum(likely)
        shares = ((n, each / total) for n, each in zip(numbers, likely, strict=True))
        return _Words(most, tuple(share for share in shares if share[1] >= _LEAST))

    def _state(self, words: tuple[int, ...]) -> Any:
        if words not in self._states:
            state = self._state(words[:-1])
            self._states[words] = self._lexicon.model.score(state, words[-1])[0]
        return self._states[words]


@dataclass(frozen=True, slots=True)
class _Words:
    """Words that begin as what was heard: the log10 of the likeliest, and the shares of them."""

    most: float
    shares: tuple[tuple[int, float], ...]
