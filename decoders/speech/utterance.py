"""What was said between two silences, kept after it is said: for corrections and for learning."""

from __future__ import annotations

from dataclasses import dataclass

from decoders.output import Alternative

__all__ = ["Utterance"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance that has ended.

    Parameters
    ----------
    first, last
        Samples at which it begins and ends.
    text
        What was said, words that were withheld too.
    confidence
        How likely that is, as a whole.
    alternatives
        What else it may have been, the likeliest first.
    is_wrong
        Somebody said so.
    correction
        What it was, where somebody said so; else the likeliest alternative of a wrong one; empty
        where neither is known.
    words
        Those that had been added by its end, as they were: ``NAME`` or ``NAME PHONEMES``.
    """

    first: int
    last: int
    text: str
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
    is_wrong: bool = False
    correction: str = ""
    words: tuple[str, ...] = ()
