"""Text as words: what of a sentence is said."""

from __future__ import annotations

import re
import unicodedata

from devices.speech.numbers import said_number

__all__ = ["words_of"]

_SPELT = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "&": " and ",
        "%": " percent ",
        **dict.fromkeys('.,;:!?"“”()[]…/*', " "),
        **dict.fromkeys("-‐‑–—_", " "),
    }
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th)?(?![a-z\d])")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*|[^a-z\s']\S*")


def words_of(sentence: str) -> tuple[str, ...]:
    """Return the words of a sentence: lower case, without punctuation, numbers written out.

    Apostrophes stay within words (``don't``), accents go (``café``), hyphens part words.

    Raises
    ------
    ValueError
        It has no words, or something that cannot be said; says what, and what can.
    """
    plain = unicodedata.normalize("NFKD", sentence.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = _NUMBER.sub(lambda found: f" {' '.join(said_number(found[0]))} ", plain)
    words = _WORD.findall(plain.translate(_SPELT))
    if unknown := [word for word in words if not word.isascii() or not word[0].isalpha()]:
        raise ValueError(
            f"{', '.join(map(repr, unknown))} in {sentence!r} cannot be said: a sentence has "
            "letters from a to z, digits, apostrophes and punctuation"
        )
    if not words:
        raise ValueError(f"{sentence!r} has no words")
    return tuple(words)
