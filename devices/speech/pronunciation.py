"""How words and sentences are pronounced: by the dictionary."""

from __future__ import annotations

from devices.speech.dictionary import Pronunciation, known
from devices.speech.phonemes import BOUNDARY
from devices.speech.text import words_of

__all__ = ["phonemes_of", "pronounce", "pronunciations"]


def pronounce(word: str) -> Pronunciation:
    """Return the most usual pronunciation of one word.

    Raises
    ------
    ValueError, ModuleNotFoundError
        See `pronunciations`.
    """
    return pronunciations(word)[0]


def pronunciations(word: str) -> tuple[Pronunciation, ...]:
    """Return every pronunciation of one word, the most usual first; never none.

    Raises
    ------
    ValueError
        It is not one word, has what cannot be said, or is not in the dictionary.
    ModuleNotFoundError
        The dictionary is not installed; says how to.
    """
    words = words_of(word)
    if len(words) != 1:
        raise ValueError(f"{word!r} is {len(words)} words: {', '.join(words)}; give one")
    if not (found := known(words[0])):
        raise ValueError(f"{words[0]!r} is not in the dictionary of pronunciations")
    return found


def phonemes_of(sentence: str) -> tuple[str, ...]:
    """Return the phonemes of a sentence, with a `BOUNDARY` after each word.

    Raises
    ------
    ValueError, ModuleNotFoundError
        It has no words, or what cannot be said; the dictionary is not installed.
    """
    return tuple(p for word in words_of(sentence) for p in (*pronounce(word), BOUNDARY))
