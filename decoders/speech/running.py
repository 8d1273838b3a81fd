"""What a language is to a run: loaded once, begun anew after each gap, it adds tokens.

A language is no part of the model: it can be exchanged without calibrating again. So a run says
which one it uses, by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from decoders.decoder import Event, Moment
from decoders.output import Output, Token
from decoders.speech.utterance import Utterance

__all__ = ["InMemory", "Language", "Listener", "Loaded", "Speaking", "Speech"]


class Speaking(Protocol):
    """The running state of a language on one stretch of a stream."""

    @property
    def utterances(self) -> Sequence[Utterance]:
        """The newest utterances that have ended, the last one last; none where there are none."""

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs of one block, and the tokens that follow from them.

        What is asked of it, such as ``finalize``, are events of the kind ``speech``.
        """

    def again(self) -> Speaking:
        """Start anew after a gap: with the words that were added, and counting items on."""


class Listener(Protocol):
    """Hears what was said without error, and says when it knows which words they are."""

    def decide(self, words: Sequence[str], said: Sequence[tuple[int, ...]]) -> list[int | None]:
        """Return for each word which of the sentence's classes, from 0 on, decides it; None: none.

        `said` are the classes of each word, the boundary after it the last.
        """


class Loaded(Protocol):
    """A language in memory, shared by all that is started on it."""

    @property
    def hash(self) -> str:
        """Names this very language, lexicon and probabilities, in 12 hex digits."""

    def problem_with_word(self, said: str) -> str:
        """Return why ``NAME`` or ``NAME PHONEMES`` cannot be added as a word; empty if it can."""

    def listener(self) -> Listener | None:
        """Return what hears these words without error; None where there are none."""

    def start(self, rate_hz: float, hop: int) -> Speaking:
        """Start on blocks of `hop` samples of a stream of `rate_hz`.

        What is said to one run, such as a new word, changes no other.
        """


class Language(Protocol):
    """The recipe: the ``[language]`` section of the session file."""

    def load(self) -> Loaded:
        """Read it from its folder.

        Raises
        ------
        ArtifactError
            There is none in its folder, or it is harmed.
        """


class InMemory:
    """A language that is loaded already: for several runs of one process.

    Parameters
    ----------
    loaded
        The language.
    recipe
        What it was loaded by.
    """

    def __init__(self, loaded: Loaded, recipe: Language) -> None:
        self._loaded = loaded
        self.recipe = recipe

    def load(self) -> Loaded:
        """Return it."""
        return self._loaded


class Speech:
    """A language on a whole stream; a gap ends what was being said, and takes it back.

    Parameters
    ----------
    loaded
        The language.
    rate_hz, hop
        Of the stream, and samples a block.
    """

    def __init__(self, loaded: Loaded, rate_hz: float, hop: int) -> None:
        self._loaded = loaded
        self._speaking = loaded.start(rate_hz, hop)
        self._open: dict[int, Token] = {}
        self._left: list[Token] = []
        self._ended = -1

    @property
    def hash(self) -> str:
        """Which language it is."""
        return self._loaded.hash

    def problem_with(self, event: Event) -> str:
        """Return why what is asked cannot be done, and is not; empty if it can."""
        verb, _, rest = event.label.partition(" ")
        if event.kind != "speech" or verb != "word":
            return ""
        return self._loaded.problem_with_word(rest)

    def take_ended(self) -> Utterance | None:
        """Return the utterance that has ended with the last block, once."""
        found = self._speaking.utterances
        if not found or found[-1].first <= self._ended:
            return None
        self._ended = found[-1].first
        return found[-1]

    def restart(self) -> None:
        """Begin anew: samples are missing before the next block."""
        self._speaking = self._speaking.again()
        self._left += [
            replace(token, text="", confidence=0.0, alternatives=())
            for token in self._open.values()
        ]
        self._open = {}

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, with tokens."""
        left, self._left = self._left, []
        if any(event.kind == "speech" for event in moment.events):
            heeded = tuple(e for e in moment.events if not self.problem_with(e))
            moment = replace(moment, events=heeded)
        said = self._speaking(outputs, moment)
        for output in said:
            if isinstance(output, Token):
                self._note(output)
        return [*left, *said] if left else said

    def _note(self, token: Token) -> None:
        if token.is_final or not token.text:
            self._open.pop(token.item, None)
        else:
            self._open[token.item] = token
