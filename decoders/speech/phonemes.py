"""Phonemes as they are said, without words: the likeliest class of each step, repeats merged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoders.output import Token
from decoders.speech.transcript import Items
from decoders.speech.utterance import Utterance
from devices.speech.phonemes import BLANK, CLASSES

__all__ = ["Phonemes"]

_BLANK = CLASSES.index(BLANK)


class Phonemes:
    """A transcript in phonemes. Each is interim until the next one comes, or the end.

    Parameters
    ----------
    items
        Numbers the tokens.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self.begin()

    def begin(self) -> None:
        """Begin an utterance."""
        self._before = _BLANK
        self._newest: Token | None = None
        self._said: list[Token] = []

    def step(self, probabilities: NDArray[np.float64], first: int, last: int) -> list[Token]:
        """Take in a step, (n_classes,), of the samples from `first` to `last`."""
        best, before = int(probabilities.argmax()), self._before
        self._before = best
        if best in (_BLANK, before):
            return []
        done = self._settle()
        sure = float(probabilities[best])
        self._newest = Token(
            self._items.new(last),
            CLASSES[best],
            "phoneme",
            is_final=False,
            confidence=sure,
            first=first,
            last=last,
        )
        return [*done, self._newest]

    def end(self) -> tuple[list[Token], Utterance | None]:
        """End the utterance; return its last phoneme, and all of them as its text."""
        done = [replace(token, segment_final=True) for token in self._settle()]
        if not self._said:
            return [], None
        text = " ".join(token.text for token in self._said)
        confidence = float(np.exp(np.mean(np.log([token.confidence for token in self._said]))))
        return done, Utterance(self._said[0].first, self._said[-1].last, text, confidence)

    def forget(self) -> list[Token]:
        """Give the utterance up; return the token that takes back what is not final."""
        newest, self._newest = self._newest, None
        return [] if newest is None else [replace(newest, text="", confidence=0.0)]

    def _settle(self) -> list[Token]:
        if self._newest is None:
            return []
        self._said.append(replace(self._newest, is_final=True))
        self._newest = None
        return [self._said[-1]]
