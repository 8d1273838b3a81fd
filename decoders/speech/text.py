"""Written English as sentences of words to be said: lower case, without marks and digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
_MARKS = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "–": ",", "—": ","})
_ABBREVIATION = re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.", re.IGNORECASE)
_END = re.compile(r"[.!?;:]+(?:[\"')\]]*)(?:\s+|$)|\n+|\s--+\s")
_BETWEEN = re.compile(r"[\s,\"()\[\]{}/-]+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")


def sentences(text: str) -> Iterator[Sentence]:
    """Return the sentences of a text.

    One that has anything but words in it (digits, signs, letters that English lacks) is left out,
    since how it is said is not known.
    """
    text = _ABBREVIATION.sub(lambda m: _ABBREVIATIONS[m[1].lower()], text.translate(_MARKS))
    for part in _END.split(text):
        words = tuple(w for w in map(_bare, _BETWEEN.split(part.lower())) if w)
        if words and all(_WORD.fullmatch(word) for word in words):
            yield words


def _bare(word: str) -> str:
    return word.strip(".!?;:*_~").removeprefix("'").rstrip("'") if word != "'" else ""
