"""The run of a language: follows utterances, adds tokens, and does what is asked of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Event, Moment
from decoders.output import Output, Prediction, Token
from decoders.speech.lexicon import NewWord
from decoders.speech.silence import Silence
from decoders.speech.transcript import Items
from decoders.speech.utterance import Utterance
from decoders.speech.vocabulary import new_word_of
from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES

if TYPE_CHECKING:
    from decoders.speech.language import Loaded

__all__ = ["STEP_S", "Speaking"]

STEP_S = 0.08
"""Decoders of speech say this often how likely each phoneme is."""

_QUIET = [CLASSES.index(BLANK), CLASSES.index(BOUNDARY)]
_REMEMBERED = 100
_LEAD = 2  # silent steps before an utterance that belong to it

_Step = tuple[NDArray[np.float64], int, int]
"""(n_classes,) probabilities, and the first and last sample that they are of."""


class Speaking:
    """A run: adds tokens to what a decoder of speech says.

    Parameters
    ----------
    loaded
        The language.
    rate_hz, hop
        Of the samples, and of the blocks that they come in.
    words
        The new words that it begins with.
    items
        Numbers the tokens.

    Attributes
    ----------
    utterances
        The newest that have ended, the last one last; a correction changes them.
    """

    def __init__(
        self, loaded: Loaded, rate_hz: float, hop: int, words: tuple[NewWord, ...], items: Items
    ) -> None:
        language = loaded.language
        self._loaded, self._rate_hz, self._hop = loaded, rate_hz, hop
        self._words, self._items = words, items
        self._pending: list[NewWord] = []
        self._transcript = loaded.transcript(items)
        self._silence = Silence(round(language.pause_s / STEP_S), language.silence)
        self._most = round(language.longest_s / STEP_S)
        self._lead: deque[_Step] = deque(maxlen=_LEAD)
        self._n_steps = 0
        self._before = -1
        self.utterances: deque[Utterance] = deque(maxlen=_REMEMBERED)

    def again(self) -> Speaking:
        """Start a run anew, after a gap: with the words that were added, counting items on."""
        run = Speaking(self._loaded, self._rate_hz, self._hop, self._all_words(), self._items)
        run.utterances = self.utterances
        return run

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, with the tokens after them that this block gave."""
        said: list[Token] = []
        heard = next((o for o in outputs if isinstance(o, Prediction)), None)
        if heard is not None:
            said += self._step(np.array(heard.probabilities), moment.sample)
        for event in moment.events:
            if event.kind == "speech":
                said += self._asked(event)
        return [*outputs, *said] if said else outputs

    def _step(self, probabilities: NDArray[np.float64], sample: int) -> list[Token]:
        first = max(sample - round(STEP_S * self._rate_hz), self._before) + 1
        self._before = sample
        step = (probabilities, first, sample)
        match self._silence(float(probabilities[_QUIET].sum())):
            case "silent":
                self._lead.append(step)
                return []
            case "begins":
                return self._begin(step)
            case "goes on" if self._n_steps < self._most - 1:
                return self._go_on(step)
            case _:
                return [*self._go_on(step), *self._end()]

    def _begin(self, step: _Step) -> list[Token]:
        self._words, self._pending = self._all_words(), []
        self._transcript.begin()
        self._n_steps = 0
        lead = [*self._lead, step]
        self._lead.clear()
        return [token for each in lead for token in self._go_on(each)]

    def _go_on(self, step: _Step) -> list[Token]:
        self._hold()
        self._n_steps += 1
        return self._transcript.step(*step)

    def _end(self) -> list[Token]:
        self._hold()
        self._silence.cut()
        said, utterance = self._transcript.end()
        if utterance is not None:
            words = tuple(word.said for word in self._all_words())
            self.utterances.append(replace(utterance, words=words))
        return said

    def _hold(self) -> None:
        if self._loaded.lexicon is not None:
            self._loaded.lexicon.hold(self._words)

    def _all_words(self) -> tuple[NewWord, ...]:
        """Return the new words with those that wait; the newest of a name counts."""
        if not self._pending:
            return self._words
        words = {word.text: word for word in self._words}
        for word in self._pending:
            words.pop(word.text, None)
            words[word.text] = word
        n_places = 0 if self._loaded.lexicon is None else self._loaded.lexicon.n_places
        return tuple(words.values())[max(len(words) - n_places, 0) :]

    def _asked(self, event: Event) -> list[Token]:
        verb, _, rest = event.label.partition(" ")
        match verb:
            case "finalize" if self._silence.speaks:
                return self._end()
            case "reset" if self._silence.speaks:
                self._silence.cut()
                return self._transcript.forget()
            case "wrong" if self.utterances:
                self.utterances[-1] = _wrong(self.utterances[-1], rest.strip())
            case "word" if not self._loaded.problem_with_word(rest):
                self._pending.append(new_word_of(rest, self._loaded.lexicon))
        return []


def _wrong(utterance: Utterance, correction: str) -> Utterance:
    likeliest = utterance.alternatives[0].text if utterance.alternatives else ""
    return replace(utterance, is_wrong=True, correction=correction or likeliest)
