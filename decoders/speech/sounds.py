"""Which words of a lexicon begin with given phonemes: the likeliest of them, at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

__all__ = ["Sounds"]

_KEPT = 1 << 14
_WAYS = 2  # to say a word that begin alike, seldom more
_ALL = 1 << 30
_ABOVE = b"\xff"  # above every phoneme


class Sounds:
    """Words by how they are said, in the order of their phonemes, so that a beginning is a range.

    Parameters
    ----------
    by_sound
        The numbers of the words of each sound, the likeliest first.
    scores
        How likely each word is.
    """

    def __init__(
        self, by_sound: Mapping[tuple[int, ...], Sequence[int]], scores: Sequence[float]
    ) -> None:
        ordered = sorted((bytes(said), n) for said, numbers in by_sound.items() for n in numbers)
        self._said = [said for said, _ in ordered]
        self._numbers = np.array([n for _, n in ordered], np.int32)
        likeliest = np.lexsort((self._numbers, -np.array(scores, np.float32)[self._numbers]))
        self._ranks = np.empty_like(likeliest)
        self._ranks[likeliest] = np.arange(len(likeliest))
        self._likeliest = lru_cache(_KEPT)(self._find)

    def same(self, said: bytes) -> list[int]:
        """Return the words that are said so, the likeliest first."""
        return self._ranked(said, said + b"\0", _ALL)

    def beginning(self, said: bytes, most: int) -> list[int]:
        """Return the `most` likeliest words that begin so, the likeliest first."""
        return self._likeliest(said, most)

    def _find(self, said: bytes, most: int) -> list[int]:
        found = self._ranked(said, said + _ABOVE, _WAYS * most)
        return list(dict.fromkeys(found))[:most]

    def _ranked(self, since: bytes, until: bytes, most: int) -> list[int]:
        begin, end = bisect_left(self._said, since), bisect_left(self._said, until)
        ranks = self._ranks[begin:end]
        # A sort of all takes milliseconds.
        n = len(ranks)
        some = np.argpartition(ranks, most)[:most] if most < n else np.arange(n)
        ordered = begin + some[ranks[some].argsort()]
        found: list[int] = self._numbers[ordered].tolist()
        return found
