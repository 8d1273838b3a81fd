"""Words that are not in the lexicon: as somebody writes them, with phonemes or without."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import groupby

from decoders.speech.lexicon import Lexicon, NewWord
from devices.speech.phonemes import BOUNDARY, phoneme_ids
from devices.speech.pronunciation import phonemes_of, pronunciations

__all__ = ["label_of", "new_word_of"]

_AROUND = ".,;:!?\"'()"


def new_word_of(said: str, lexicon: Lexicon | None = None) -> NewWord:
    """Return the new word of ``NAME`` or ``NAME PHONEMES``.

    Without phonemes it is pronounced as in the lexicon, or as the dictionary has it.

    Raises
    ------
    ValueError
        A phoneme is none, or the name cannot be read.
    """
    name, *phonemes = said.split()
    if phonemes:
        return NewWord(name, (phoneme_ids(tuple(phonemes)),), said)
    known = () if lexicon is None else lexicon.pronunciations(name.lower())
    return NewWord(name, known or _read(name.lower()), said)


def label_of(text: str, words: Sequence[str] = ()) -> tuple[int, ...]:
    """Return the phonemes of a sentence, with a boundary after each word.

    Parameters
    ----------
    text
        The sentence.
    words
        ``NAME`` or ``NAME PHONEMES``: a name with phonemes is said so, all else as the dictionary
        has it.

    Raises
    ------
    ValueError
        It has no words, or what cannot be said.
    """
    told = {name.lower(): phonemes for name, *phonemes in map(str.split, words) if phonemes}
    found: list[str] = []
    for name, tokens in groupby(text.split(), lambda token: _name(token, told)):
        if name:
            found += [phoneme for _ in tokens for phoneme in (*told[name], BOUNDARY)]
        else:
            found += phonemes_of(" ".join(tokens))
    return phoneme_ids(tuple(found or phonemes_of(text)))


def _name(token: str, told: Container[str]) -> str:
    """Return which of the names a token is; empty if it is none."""
    name = token.strip(_AROUND).lower()
    return name if name in told else ""


def _read(name: str) -> tuple[tuple[int, ...], ...]:
    try:
        return tuple(map(phoneme_ids, pronunciations(name)))
    except ValueError as error:
        raise ValueError(f"{error}; add its phonemes, as in {name} K AE T") from None
