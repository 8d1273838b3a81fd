"""Words as they are said: the beam search's best reading word by word, final as soon as it is sure.

The word that is being said is shown before its end is heard, where it is as likely as it is to be.

A word is final when every hypothesis of the beam shares it, so that no later step could change it;
else at the end of the utterance. The last word that is shared waits for the next one, so that an
utterance always ends with a final token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.output import Alternative, Token
from decoders.speech.confidence import LIKELY, Judged, confidence, judge, loudness, shares
from decoders.speech.guessing import Guesses
from decoders.speech.rescoring import Rescoring
from decoders.speech.search import Readings, Search
from decoders.speech.transcript import Items, Shown
from decoders.speech.utterance import Utterance

__all__ = ["Telling", "Words"]

_LONG = 64  # steps that the search keeps before it drops what is final
_CHECK = 4  # steps between looks at the whole beam, which take as long as a step
_CLOSE = 5.0  # readings whose scores are further below the best say little of what is being said
_FEW = 24  # of them; more, where nothing is clear, would take milliseconds
_KEPT = 0.5  # a word that is shown before its end is kept while it is so likely


@dataclass(frozen=True, slots=True)
class Telling:
    """How readings are told.

    Parameters
    ----------
    confidence
        Words below it are withheld.
    interim
        Of interim words, those below it are not shown, however well they are heard.
    guess
        A word that has begun is shown once it is so likely; 1: not before its end.
    n_alternatives
        The most other readings of a word, and of an utterance.
    steady
        For how many steps an interim word must have been the best.
    is_single
        An utterance is one word.
    unit
        What the lexicon's words are.
    """

    confidence: float
    interim: float
    guess: float
    n_alternatives: int
    steady: int
    is_single: bool = False
    unit: Literal["character", "word"] = "word"


class Words:
    """A transcript in words.

    Parameters
    ----------
    search
        Finds the readings.
    word
        Returns a word by its number.
    telling
        How they are told.
    items
        Numbers the tokens.
    guesses
        Weighs the word that is being said; None: each is shown once its end is heard.
    rescoring
        Weighs the readings again at the end of an utterance; None: they stay as they are.
    """

    def __init__(
        self,
        search: Search,
        word: Callable[[int], str],
        telling: Telling,
        items: Items,
        guesses: Guesses | None = None,
        rescoring: Rescoring | None = None,
    ) -> None:
        self._search, self._word, self._telling = search, word, telling
        self._guesses, self._rescoring = guesses, rescoring
        self._shown = Shown(items, telling.steady)
        self.begin()

    def begin(self) -> None:
        """Begin an utterance."""
        self._search.begin()
        self._shown.clear()
        self._steps: list[tuple[int, int]] = []
        self._sure: list[Token] = []  # the words that are final
        self._dropped: list[int] = []  # the numbers of those of these that the search has dropped
        self._best: tuple[int, ...] | None = ()
        self._tokens: list[Token] = []  # what is shown of its words
        self._is_whole = True  # that is all of them
        self._guessed = -1  # the word after them that is shown
        if self._guesses is not None:
            self._guesses.begin()

    def step(self, probabilities: NDArray[np.float64], first: int, last: int) -> list[Token]:
        """Take in a step, (n_classes,), of the samples from `first` to `last`."""
        self._search.step(probabilities)
        self._steps.append((first, last))
        said: list[Token] = []
        if self._search.n_steps % _CHECK == 0 and not self._telling.is_single:
            said = self._agree()
        return said + self._interim()

    def end(self) -> tuple[list[Token], Utterance | None]:
        """End the utterance; return its last tokens, and what it was: None if without a word."""
        readings = self._allowed(self._search.end(LIKELY))
        if self._rescoring is not None:
            readings = self._rescoring(readings, self._dropped)
        rest = self._told(readings)
        self._sure += rest
        if not rest:
            return self._shown.clear(), None
        said = [t for token in rest for t in self._final(token)]
        utterance = self._utterance(readings)
        return self._shown.close(said, self._steps[-1][1]), utterance

    def forget(self) -> list[Token]:
        """Give the utterance up; return the tokens that take back what is not final."""
        return self._shown.clear()

    def _allowed(self, readings: Readings) -> Readings:
        return readings.part(readings.lengths() == 1) if self._telling.is_single else readings

    def _interim(self) -> list[Token]:
        best = self._search.best()
        if best != self._best or not self._is_whole:
            self._best = best
            readings = self._allowed(self._search.beam(LIKELY))
            told = self._told(readings)
            self._tokens = told[: self._n_shown(told, readings)]
            self._is_whole = len(self._tokens) == len(told)
        guess = self._guess(best) if self._is_whole else None
        tokens = self._tokens if guess is None else [*self._tokens, guess]
        return self._shown.interim(tokens, self._steps[-1][1])

    def _n_shown(self, told: list[Token], readings: Readings) -> int:
        """Return how many of the words that are told may be shown: up to one that may not."""
        if not told:
            return 0
        heard = readings.heard[0, : readings.lengths()[0]]
        in_all = float(heard.mean())
        each = zip(told, heard[-len(told) :].tolist(), strict=True)
        return sum(
            1 for _ in takewhile(lambda e: self._may_show(e[0].confidence, e[1], in_all), each)
        )

    def _may_show(self, sure: float, heard: float, in_all: float) -> bool:
        is_loud = loudness(heard, in_all) >= self._telling.confidence
        return is_loud and sure >= self._telling.interim

    def _guess(self, best: tuple[int, ...]) -> Token | None:
        """Return the word after the best reading's, where that is likely enough to be shown."""
        was, self._guessed = self._guessed, -1
        if self._guesses is None:
            return None
        guess = self._guesses(self._search.begun(_CLOSE, _FEW), tuple(self._dropped))
        if guess is None or guess.begun.words != best:
            return None
        (number, share), *others = guess.shares
        if share < (_KEPT if number == was else self._telling.guess):
            return None
        heard, in_all = self._search.heard(guess.begun)
        sure = confidence(share, heard, in_all)
        if not self._may_show(sure, heard, in_all):
            return None
        self._guessed = number
        others = others[: self._telling.n_alternatives]
        return Token(
            0,
            self._word(number),
            self._telling.unit,
            is_final=False,
            confidence=sure,
            alternatives=tuple(Alternative(self._word(n), part) for n, part in others),
            first=self._steps[guess.begun.first][0],
            last=self._steps[-1][1],
        )

    def _agree(self) -> list[Token]:
        """Make final what all readings share, but for the last word of it."""
        readings = self._search.beam()
        alike = (readings.words == readings.words[0]) & (readings.words >= 0)
        n_shared = int(np.logical_and.accumulate(alike, axis=1).sum(axis=1).min())
        new: list[Token] = []
        if n_shared - 1 > self._n_held:
            new = self._told(readings)[: n_shared - 1 - self._n_held]
            self._sure += new
            self._best = None
        long = self._n_held and self._search.n_kept > _LONG
        if long and self._search.forget(readings, self._n_held):
            self._dropped += readings.words[0, : self._n_held].tolist()
            self._best = None
        return [t for token in new for t in self._final(token)]

    @property
    def _n_held(self) -> int:
        """How many final words the readings still have."""
        return len(self._sure) - len(self._dropped)

    def _final(self, token: Token) -> list[Token]:
        is_sure = token.confidence >= self._telling.confidence
        return self._shown.final(token if is_sure else None, self._steps[-1][1])

    def _told(self, readings: Readings) -> list[Token]:
        """Return the words of the best reading that are not final yet."""
        if not len(readings):
            return []
        held = self._n_held
        return [self._token(readings, held + i, j) for i, j in enumerate(judge(readings, held))]

    def _token(self, readings: Readings, place: int, judged: Judged) -> Token:
        others = judged.others[: self._telling.n_alternatives]
        heard = readings.heard[0, : readings.lengths()[0]]
        return Token(
            0,
            self._word(int(readings.words[0, place])),
            self._telling.unit,
            is_final=False,
            confidence=confidence(judged.share, float(heard[place]), float(heard.mean())),
            alternatives=tuple(Alternative(self._word(n), share) for n, share in others),
            first=self._steps[readings.firsts[0, place]][0],
            last=self._steps[readings.lasts[0, place]][1],
        )

    def _utterance(self, readings: Readings) -> Utterance:
        between = " " if self._telling.unit == "word" else ""
        known = [token.text for token in self._sure[: len(self._dropped)]]
        likely: dict[str, float] = {}
        n = self._telling.n_alternatives + 1
        few = shares(readings)[: 2 * n].tolist()
        for words, share in zip(readings.texts(2 * n), few, strict=True):
            text = between.join([*known, *map(self._word, words)])
            likely[text] = likely.get(text, 0.0) + share
        text, *others = sorted(likely, key=lambda t: -likely[t])[:n]
        return Utterance(
            self._steps[0][0],
            self._steps[-1][1],
            text,
            likely[text],
            tuple(Alternative(other, likely[other]) for other in others),
        )
