"""n-gram language models by interpolated modified Kneser–Ney smoothing.

Chen & Goodman (Computer Speech & Language 13, 1999); Heafield et al. (ACL 2013) for the sentence
begin and the adjusted counts. An n-gram is the number of its context, the (n-1)-gram before its
last word, and that word; so each order is a table of 64-bit keys, whatever the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from decoders.speech.text import Sentence

__all__ = ["BEGIN", "END", "UNKNOWN", "Grams", "estimate", "number"]

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
_UNKNOWN, _BEGIN, _END = 0, 1, 2
_FEW_COUNTS = (0.5, 1.0, 1.5)  # discounts where there are too few counts to estimate them


@dataclass(frozen=True, slots=True)
class Grams:
    """All n-grams of one order.

    Parameters
    ----------
    contexts, words
        (n,) int64: the number in the order below of the n-gram without its last word, and that
        word; of order 1, the contexts are 0.
    suffixes
        (n,) int64: the number in the order below of the n-gram without its first word.
    probabilities
        (n,) float64, of the last word after the others.
    backoffs
        (n,) float64: what is left, after this n-gram, for words not seen after it.
    """

    contexts: NDArray[np.int64]
    words: NDArray[np.int64]
    suffixes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    backoffs: NDArray[np.float64]


def number(sentences: Iterable[Sentence], vocabulary: Sequence[str]) -> NDArray[np.int32]:
    """Return sentences as one row of word numbers, each between a begin and an end.

    Parameters
    ----------
    sentences
        Of words.
    vocabulary
        What words there are; it begins with `UNKNOWN`, `BEGIN` and `END`. Others are unknown.
    """
    numbers = {word: i for i, word in enumerate(vocabulary)}
    row = [
        each
        for words in sentences
        for each in (_BEGIN, *(numbers.get(word, _UNKNOWN) for word in words), _END)
    ]
    return np.array(row, np.int32)


def estimate(tokens: NDArray[np.int32], n_words: int, order: int) -> list[Grams]:
    """Estimate a model of `order` from what `number` gave, of `n_words` words.

    Returns
    -------
    The n-grams of each order, from 1 on; of order 1 all words, by their number.
    """
    below = np.full(1, 1 / (n_words - 1))  # all but the begin
    found: list[Grams] = []
    for each in _adjusted(_count(tokens, n_words, order)):
        totals, left, kept = _discounted(each)
        likely = kept / totals[each.contexts] + left[each.contexts] * below[each.suffixes]
        if found:
            found[-1].backoffs[:] = left
        nothing_left = np.ones(len(likely))
        found.append(Grams(each.contexts, each.words, each.suffixes, likely, nothing_left))
        below = likely
    return found


@dataclass(frozen=True, slots=True)
class _Counted:
    """n-grams as in `Grams`, how often each is, and which begin a sentence."""

    contexts: NDArray[np.int64]
    words: NDArray[np.int64]
    suffixes: NDArray[np.int64]
    counts: NDArray[np.int64]
    begins: NDArray[np.int64]
    n_contexts: int


def _count(tokens: NDArray[np.int32], n_words: int, order: int) -> list[_Counted]:
    """Return the n-grams of each order, from 1 on."""
    begins = np.flatnonzero(tokens == _BEGIN)
    places = np.arange(len(tokens)) - np.repeat(begins, np.diff(begins, append=len(tokens)))
    ends = tokens.astype(np.int64)  # the number of the n-gram that ends at each place
    counts = np.bincount(ends, minlength=n_words)
    counts[_BEGIN] = 0  # it follows nothing
    none = np.zeros(n_words, np.int64)
    found = [_Counted(none, np.arange(n_words), none, counts, np.array([_BEGIN]), 1)]
    for n in range(2, order + 1):
        at = np.flatnonzero(places >= n - 1)
        keys, firsts, which, counts = np.unique(
            ends[at - 1] * n_words + tokens[at],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        suffixes = ends[at[firsts]]
        ends = np.zeros_like(ends)
        ends[at] = which
        first = ends[places == n - 1]
        n_contexts = len(found[-1].words)
        found.append(_Counted(keys // n_words, keys % n_words, suffixes, counts, first, n_contexts))
    return found


def _adjusted(found: Sequence[_Counted]) -> Iterator[_Counted]:
    """Count n-grams below the highest order by how many words they follow, not how often.

    Those that begin a sentence follow nothing, so that they stay as they are.
    """
    for each, above in pairwise(found):
        counts = np.bincount(above.suffixes, minlength=len(each.words))
        counts[each.begins] = each.counts[each.begins]
        yield replace(each, counts=counts)
    yield found[-1]


def _discounted(
    each: _Counted,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each context's total and what is left of it, a share; and each count discounted."""
    discounts = _discounts(each.counts)
    capped = np.minimum(each.counts, 3)
    totals = np.bincount(each.contexts, each.counts, each.n_contexts)
    taken = np.bincount(each.contexts, discounts[capped], each.n_contexts)
    safe = np.where(totals > 0, totals, 1.0)
    return safe, np.where(totals > 0, taken / safe, 1.0), each.counts - discounts[capped]


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is taken of counts of 0, 1, 2 and of 3 and more."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    if n[1:5].min() == 0:
        return np.array([0.0, *_FEW_COUNTS])
    y = n[1] / (n[1] + 2 * n[2])
    found = np.array([0.0, *((k - (k + 1) * y * n[k + 1] / n[k]) for k in (1, 2, 3))])
    return found if (found[1:] > 0).all() else np.array([0.0, *_FEW_COUNTS])
