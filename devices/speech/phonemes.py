"""The phonemes of North American English, in ARPAbet, and the classes of a speech decoder.

The order is that of the public Brain-to-Text data (Card et al., N. Engl. J. Med. 391, 2024): the
blank of connectionist temporal classification, 39 phonemes without stress, and the silence that
follows each word. So its class numbers are the places in `CLASSES`.
"""

from __future__ import annotations

__all__ = ["BLANK", "BOUNDARY", "CLASSES", "PHONEMES", "phoneme_ids"]

# fmt: off
PHONEMES: tuple[str, ...] = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY",
    "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)
# fmt: on
"""39 phonemes; their numbers as classes are 1 to 39."""

BLANK = "-"
"""Class 0: nothing new is said."""

BOUNDARY = "|"
"""Class 40: the silence after a word."""

CLASSES: tuple[str, ...] = (BLANK, *PHONEMES, BOUNDARY)
"""The 41 classes, in order: the labels of a decoder of speech."""

_NUMBERS = {name: number for number, name in enumerate(CLASSES)}


def phoneme_ids(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the class numbers of phonemes and boundaries.

    Raises
    ------
    ValueError
        A name is none of `CLASSES`; says which.
    """
    if unknown := [name for name in names if name not in _NUMBERS]:
        raise ValueError(
            f"{', '.join(unknown)}: no phoneme; they are {', '.join(PHONEMES)} and {BOUNDARY}"
        )
    return tuple(_NUMBERS[name] for name in names)
