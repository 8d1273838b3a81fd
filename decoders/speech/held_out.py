"""What a language model must not have read: sentences that it is tested on, and near copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from decoders.speech.text import Sentence

__all__ = ["HeldOut"]

_SHORT = 5


class HeldOut:
    """Recognizes held-out sentences in others.

    A sentence is one when it is the same, when it has a held-out one of three words or more in it,
    or when it differs from one of five words or more by a word that is added, lost or another.

    Parameters
    ----------
    sentences
        Those that are held out.
    """

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self._whole = set(sentences)
        self._near = {key for words in self._whole if len(words) >= _SHORT for key in _keys(words)}
        self._lengths = sorted({len(words) for words in self._whole if len(words) > 2})

    def __contains__(self, words: Sentence) -> bool:
        if words in self._whole or any(part in self._whole for part in self._parts(words)):
            return True
        if len(words) < _SHORT - 1:
            return False
        return any(key in self._near for key in _keys(words))

    def _parts(self, words: Sentence) -> Iterator[Sentence]:
        for length in self._lengths:
            for begin in range(len(words) - length + 1):
                yield words[begin : begin + length]


def _keys(words: Sentence) -> Iterator[Sentence]:
    """Return what two sentences share that are a word apart: themselves, with a word left out."""
    yield words
    for i in range(len(words)):
        yield (*words[:i], *words[i + 1 :])
        yield (*words[:i], "", *words[i + 1 :])
