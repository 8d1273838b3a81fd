"""Written English as sentences of words to be said."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devices.speech.text import words_of

__all__ = ["Sentence", "sentences"]

Sentence = tuple[str, ...]

_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "etc": "et cetera",
    "vs": "versus",
}
_ABBREVIATION = re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.", re.IGNORECASE)
_END = re.compile(r"[.!?;:]+[\"')\]]*(?:\s+|$)|\n+|\s--+\s")
_HAS_WORD = re.compile(r"[^\W_]")


def sentences(text: str) -> Iterator[Sentence]:
    """Return the sentences of a text.

    One with something in it of which `devices.speech.text` does not know how it is said is left
    out.
    """
    text = _ABBREVIATION.sub(lambda m: _ABBREVIATIONS[m[1].lower()], text)
    for part in filter(_HAS_WORD.search, _END.split(text)):
        try:
            yield words_of(part)
        except ValueError:
            continue
