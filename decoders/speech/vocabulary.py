"""Words that are not in the lexicon: as somebody writes them, with phonemes or without."""

from __future__ import annotations

from decoders.speech.lexicon import Lexicon, NewWord
from devices.speech.phonemes import phoneme_ids
from devices.speech.pronunciation import pronunciations

__all__ = ["new_word_of"]


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
        return NewWord(name, (phoneme_ids(tuple(phonemes)),))
    known = () if lexicon is None else lexicon.pronunciations(name.lower())
    return NewWord(name, known or _read(name.lower()))


def _read(name: str) -> tuple[tuple[int, ...], ...]:
    try:
        return tuple(map(phoneme_ids, pronunciations(name)))
    except ValueError as error:
        raise ValueError(f"{error}; add its phonemes, as in {name} K AE T") from None
