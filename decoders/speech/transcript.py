"""A transcript turns the steps of an utterance into tokens; one for each way to transcribe.

`Shown` keeps what a client has been shown, so that interim tokens come, change and go by item, and
final ones never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decoders.output import Token
from decoders.speech.utterance import Utterance

__all__ = ["Items", "Shown", "Transcript"]


class Transcript(Protocol):
    """Transcribes one utterance after another."""

    def begin(self) -> None:
        """Begin an utterance."""

    def step(self, probabilities: NDArray[np.float64], first: int, last: int) -> list[Token]:
        """Take in a step, (n_classes,), of samples `first` to `last`; return what is new."""

    def end(self) -> tuple[list[Token], Utterance | None]:
        """End the utterance; return its last tokens, all final, and what it was."""

    def forget(self) -> list[Token]:
        """Give the utterance up; return the tokens that take it back."""


class Items:
    """Numbers items: by the sample at which each comes up, so that they count up over a session."""

    def __init__(self) -> None:
        self._next = 0

    def new(self, sample: int) -> int:
        """Return a number that is larger than all before."""
        item = max(self._next, sample)
        self._next = item + 1
        return item


@dataclass(slots=True)
class _Place:
    """A place in the utterance: what is shown there, and what waits to be.

    A text of None is that of nothing shown.
    """

    shown: Token | None = None
    waiting: Token | None = None
    steps: int = 0


class Shown:
    """The tokens of an utterance, place by place.

    Parameters
    ----------
    items
        Numbers the tokens.
    steady
        An interim token is shown, changed or taken back once what replaces it has been the best
        for so many steps.
    """

    def __init__(self, items: Items, steady: int) -> None:
        self._items, self._steady = items, steady
        self._places: list[_Place] = []
        self.n_final = 0
        self._told: Token | None = None  # the newest final one

    def interim(self, tokens: Sequence[Token], sample: int) -> list[Token]:
        """Return what to show, when the best reading is now `tokens` after the final ones."""
        while len(self._places) < self.n_final + len(tokens):
            self._places.append(_Place())
        said, in_order = [], True
        for place, wanted in zip_longest(self._places[self.n_final :], tokens):
            said += self._weigh(place, wanted if in_order else None, sample)
            in_order = place.shown is not None  # so that items are in the order of the words
        return said

    def final(self, token: Token | None, sample: int) -> list[Token]:
        """Make the next place final; with None, it is withheld."""
        if len(self._places) == self.n_final:
            self._places.append(_Place())
        place = self._places[self.n_final]
        self.n_final += 1
        if token is None:
            return self._take_back(place)
        item = self._items.new(sample) if place.shown is None else place.shown.item
        self._told = replace(token, item=item, is_final=True)
        return [self._told]

    def close(self, said: list[Token], sample: int) -> list[Token]:
        """End the utterance with the tokens `said` last; its last final one is marked so.

        Where these were withheld, but words before them were not, an empty final one ends it.
        """
        finals = [i for i, token in enumerate(said) if token.is_final]
        if finals:
            said[finals[-1]] = replace(said[finals[-1]], segment_final=True)
        elif self._told is not None:
            item = self._items.new(sample)
            said.append(replace(self._told, item=item, text="", segment_final=True))
        return [*said, *self.clear()]

    def clear(self) -> list[Token]:
        """Take back all that is not final, and begin anew."""
        said = [t for place in self._places[self.n_final :] for t in self._take_back(place)]
        self._places, self.n_final, self._told = [], 0, None
        return said

    def _weigh(self, place: _Place, wanted: Token | None, sample: int) -> list[Token]:
        if _text(wanted) == _text(place.shown):
            place.waiting, place.steps = None, 0
            return []
        is_same = place.steps > 0 and _text(wanted) == _text(place.waiting)
        place.waiting, place.steps = wanted, place.steps + 1 if is_same else 1
        if place.steps < self._steady:
            return []
        place.steps = 0
        if wanted is None:
            return self._take_back(place)
        item = self._items.new(sample) if place.shown is None else place.shown.item
        place.shown = replace(wanted, item=item)
        return [place.shown]

    def _take_back(self, place: _Place) -> list[Token]:
        if place.shown is None:
            return []
        gone = replace(place.shown, text="", confidence=0.0, alternatives=())
        place.shown = None
        return [gone]


def _text(token: Token | None) -> str:
    return "" if token is None else token.text
