"""What a language is to a run: it is loaded once, begins anew after each gap, and adds tokens.

A language is no part of the model: it can be exchanged without calibrating again. So a run says
which one it uses, by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from decoders.decoder import Event, Moment
from decoders.output import Output, Token

__all__ = ["Language", "Loaded", "Speaking", "Speech"]


class Speaking(Protocol):
    """The running state of a language on one stretch of a stream."""

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs of one block, and the tokens that follow from them.

        What is asked of it, such as ``finalize``, are events of the kind ``speech``. Items are not
        used again after another start on the same stream: they grow with `moment`.
        """


class Loaded(Protocol):
    """A language in memory, shared by all that is started on it."""

    @property
    def hash(self) -> str:
        """Names this very language, lexicon and probabilities, in 12 hex digits."""

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


class Speech:
    """A language on a whole stream, with its gaps.

    A gap ends what was being said: its interim tokens are taken back. Words that were taught stay
    known.

    Parameters
    ----------
    loaded
        The language.
    rate_hz, hop
        Of the stream, and samples a block.
    """

    def __init__(self, loaded: Loaded, rate_hz: float, hop: int) -> None:
        self._loaded = loaded
        self._rate_hz = rate_hz
        self._hop = hop
        self._speaking = loaded.start(rate_hz, hop)
        self._taught: list[Event] = []
        self._again: tuple[Event, ...] = ()
        self._open: dict[int, Token] = {}
        self._left: list[Token] = []

    @property
    def hash(self) -> str:
        """Which language it is."""
        return self._loaded.hash

    def restart(self) -> None:
        """Begin anew: samples are missing before the next block."""
        self._speaking = self._loaded.start(self._rate_hz, self._hop)
        self._again = tuple(self._taught)
        self._left = [
            replace(token, text="", confidence=0.0, alternatives=())
            for token in self._open.values()
        ]
        self._open = {}

    def __call__(self, outputs: Sequence[Output], moment: Moment) -> Sequence[Output]:
        """Return the outputs, with tokens."""
        left, again = self._left, self._again
        self._left, self._again = [], ()
        self._taught += [e for e in moment.events if is_word(e)]
        said = self._speaking(outputs, replace(moment, events=(*again, *moment.events)))
        for output in said:
            if isinstance(output, Token):
                self._note(output)
        return [*left, *said] if left else said

    def _note(self, token: Token) -> None:
        if token.is_final or not token.text:
            self._open.pop(token.item, None)
        else:
            self._open[token.item] = token


def is_word(event: Event) -> bool:
    """Say whether an event teaches a new word."""
    return event.kind == "speech" and event.label.startswith("word ")
