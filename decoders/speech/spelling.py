"""Spelling aloud: letters by their names or by the words of the radio alphabet.

Many names of letters sound alike (B, C, D, E, G, P, T, V, Z); the words of the International
Civil Aviation Organization's alphabet do not, so both are understood, mixed as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator

from decoders.speech.folder import Lexeme
from devices.speech.phonemes import phoneme_ids

__all__ = ["DELETE", "SPACE", "letters"]

SPACE = " "
"""The character of "space"."""

DELETE = "\b"
"""The character of "delete": the one before it is to go."""

_SAID = {
    "a": ("EY", "AE L F AH"),
    "b": ("B IY", "B R AA V OW"),
    "c": ("S IY", "CH AA R L IY"),
    "d": ("D IY", "D EH L T AH"),
    "e": ("IY", "EH K OW"),
    "f": ("EH F", "F AA K S T R AA T"),
    "g": ("JH IY", "G AA L F"),
    "h": ("EY CH", "HH OW T EH L"),
    "i": ("AY", "IH N D IY AH"),
    "j": ("JH EY", "JH UW L IY EH T"),
    "k": ("K EY", "K IY L OW"),
    "l": ("EH L", "L IY M AH"),
    "m": ("EH M", "M AY K"),
    "n": ("EH N", "N OW V EH M B ER"),
    "o": ("OW", "AA S K ER"),
    "p": ("P IY", "P AA P AH"),
    "q": ("K Y UW", "K EH B EH K"),
    "r": ("AA R", "R OW M IY OW"),
    "s": ("EH S", "S IY EH R AH"),
    "t": ("T IY", "T AE NG G OW"),
    "u": ("Y UW", "Y UW N AH F AO R M"),
    "v": ("V IY", "V IH K T ER"),
    "w": ("D AH B AH L Y UW", "W IH S K IY"),
    "x": ("EH K S", "EH K S R EY"),
    "y": ("W AY", "Y AE NG K IY"),
    "z": ("Z IY", "Z EH D", "Z UW L UW"),
    "'": ("AH P AA S T R AH F IY",),
    SPACE: ("S P EY S",),
    DELETE: ("D IH L IY T", "B AE K S P EY S"),
}


def letters() -> Iterator[Lexeme]:
    """Return the letters, the apostrophe, space and delete, each with the ways to say it."""
    for character, ways in _SAID.items():
        for said in ways:
            yield Lexeme(character, phoneme_ids(tuple(said.split())))
