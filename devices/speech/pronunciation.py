"""How words and sentences are pronounced: by the dictionary, else by letter to sound."""

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

    A word that the CMU dictionary lacks has one, by letter to sound: of 2,000 words of the
    dictionary, most of which it has learned from, 8.5 % of the phonemes are wrong; of others more.
    A name is better given by who bears it.

    Raises
    ------
    ValueError
        It is not one word, or has what cannot be said.
    ModuleNotFoundError
        The dictionary is not installed; says how to.
    """
    words = words_of(word)
    if len(words) != 1:
        raise ValueError(f"{word!r} is {len(words)} words: {', '.join(words)}; give one")
    return known(words[0]) or (_by_letters(words[0]),)


def phonemes_of(sentence: str) -> tuple[str, ...]:
    """Return the phonemes of a sentence, with a `BOUNDARY` after each word.

    Raises
    ------
    ValueError, ModuleNotFoundError
        It has no words, or what cannot be said; the dictionary is not installed.
    """
    return tuple(p for word in words_of(sentence) for p in (*pronounce(word), BOUNDARY))


def _by_letters(word: str) -> Pronunciation:
    from devices.speech.letters import letter_to_sound

    found = letter_to_sound().pronounce(word)
    # What has no sound of its own is spelt.
    return found or tuple(p for letter in word for p in known(letter)[0])
