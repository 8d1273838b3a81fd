"""Which phoneme decides a word: when a listener that hears every phoneme would know it.

The listener hears what was said phoneme by phoneme, without error, and weighs all that it may be by
the lexicon and the n-gram model of the decoder: the word that is being said, too, among those that
begin so. A word is decided by the first phoneme, or boundary, at which the listener is sure of it
and from which on it finds no other likelier: its recognition point (Grosjean, Perception &
Psychophysics 28, 1980). Nothing that a decoder does changes it, so that a word that is held back is
late.

Sure is 0.9. Of a hundred sentences with an n-gram model of order 3, a listener that shows what it
is so sure of takes 0.02 words back for each word; one that always shows its best guess, 0.8: that a
guess turns out right does not make it a decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from decoders.speech.lexicon import Lexicon
from decoders.speech.search import LN_10

__all__ = ["Listener"]

_SURE = 0.9
_READINGS = 8  # that differ in words that sound alike
_WORDS = 128  # that begin as what is heard


@dataclass(frozen=True, slots=True)
class _Reading:
    """Words, how likely they are (log10), and the state of the model after them."""

    words: tuple[int, ...]
    score: float
    state: Any
    _next: dict[int, _Reading] = field(default_factory=dict, compare=False)

    def then(self, word: int, model: Any) -> _Reading:
        """Return this reading with one more word."""
        if word not in self._next:
            state, score = model.score(self.state, word)
            self._next[word] = _Reading((*self.words, word), self.score + score, state)
        return self._next[word]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the listener takes a place for: the likeliest word, and how likely it is."""

    text: str
    share: float


class Listener:
    """Hears without error.

    Parameters
    ----------
    lexicon
        The words, and how likely each is after others.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def decide(self, words: Sequence[str], said: Sequence[tuple[int, ...]]) -> list[int | None]:
        """Return for each word which of all the sentence's classes, from 0 on, decides it.

        Parameters
        ----------
        words, said
            Of a sentence; and the classes of each word with the boundary after it.

        Returns
        -------
        None where the listener never knows the word: by the end of the sentence another one that
        sounds alike is likelier, or none is sure; or the lexicon lacks it.
        """
        heard = self._hear(said)
        return [_decided(heard, place, word) for place, word in enumerate(words)]

    def _hear(self, said: Sequence[tuple[int, ...]]) -> list[list[_Known]]:
        """Return what the listener knows after each class."""
        readings = [_Reading((), 0.0, self._lexicon.model.start(False))]
        found: list[list[_Known]] = []
        for *phonemes_said, _boundary in said:
            phonemes = tuple(phonemes_said)
            for n in range(1, len(phonemes) + 1):
                words = self._lexicon.beginning(phonemes[:n], _WORDS)
                found.append(self._known(self._with(readings, words)))
            readings = self._with(readings, self._lexicon.sounding(phonemes))
            found.append(self._known(readings))
            del readings[_READINGS:]
        return found

    def _with(self, readings: Sequence[_Reading], words: Sequence[int]) -> list[_Reading]:
        """Return readings with one more word, the likeliest first."""
        model = self._lexicon.model
        some = words or (self._lexicon.unknown,)
        new = [reading.then(word, model) for reading in readings for word in some]
        return sorted(new, key=lambda reading: (-reading.score, reading.words))

    def _known(self, readings: Sequence[_Reading]) -> list[_Known]:
        """Return what each place is taken for."""
        most = readings[0].score
        likely = [math.exp(LN_10 * (reading.score - most)) for reading in readings]
        total = sum(likely)
        return [
            _Known(
                self._text(word),
                sum(p for p, r in zip(likely, readings, strict=True) if r.words[place] == word)
                / total,
            )
            for place, word in enumerate(readings[0].words)
        ]

    def _text(self, word: int) -> str:
        return "" if word == self._lexicon.unknown else self._lexicon.word(word).lower()


def _decided(heard: Sequence[Sequence[_Known]], place: int, text: str) -> int | None:
    """Return from where on all take the place for `text`, the first of them that is sure."""
    decided = None
    for at in range(len(heard) - 1, -1, -1):
        known = heard[at]
        if len(known) <= place or known[place].text != text:
            break
        if known[place].share >= _SURE:
            decided = at
    return decided
