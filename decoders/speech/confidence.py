"""How sure a word is: how much of the beam agrees, and how well the network heard phonemes.

The first alone would be sure of something in any noise, for all that is in the beam is words; the
second alone would not know of words that sound alike. So a word's confidence is the product of its
posterior probability over the beam (Wessel et al., IEEE Trans. Speech Audio Process. 9, 2001) and
of how far the mean probability of its phonemes, and of those of the whole utterance, lies between
that of noise and that of speech. The mean is not geometric, and the utterance counts twice: a word
may well be right with a phoneme unheard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.speech.search import Readings

__all__ = ["LIKELY", "SHARPNESS", "Judged", "confidence", "judge", "loudness", "shares"]

SHARPNESS = 0.7
"""Steps are not independent, so that scores are too far apart."""

_NOISE, _SPEECH = 0.28, 0.48  # mean probability of phonemes, on simulated training sentences
_NEAR = 4
_LEAST_SHARE = 1e-4

LIKELY = -math.log(_LEAST_SHARE) / SHARPNESS
"""Readings whose scores are further below the best count for nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A word of the best hypothesis.

    Parameters
    ----------
    share
        The part of the beam that has it, 0 to 1.
    others
        Other words in its place, the likeliest first: the number of each, and its share.
    """

    share: float
    others: tuple[tuple[int, float], ...]


def confidence(share: float, heard: float, heard_in_all: float) -> float:
    """Return how sure a word is.

    Parameters
    ----------
    share
        The part of the beam that has it.
    heard, heard_in_all
        The mean probability of its phonemes, and that of all words of the utterance.
    """
    return share * loudness(heard, heard_in_all)


def loudness(heard: float, heard_in_all: float) -> float:
    """Return how far a word stands out of noise, 0 to 1: how sure it is if all agree."""
    mean = (heard + 2 * heard_in_all) / 3
    return min(max((mean - _NOISE) / (_SPEECH - _NOISE), 0.0), 1.0)


def shares(readings: Readings) -> NDArray[np.float64]:
    """Return, (n,), how likely each is, of these; the first must be the best."""
    weights = np.exp(SHARPNESS * (readings.scores - readings.scores[0]))
    return weights / weights.sum()


def judge(readings: Readings, since: int = 0) -> list[Judged]:
    """Return for each word of the best, from `since` on, how many agree and what else it may be.

    Words are in one place when they end within a few steps of one another.
    """
    likely = shares(readings)
    few = int(np.count_nonzero(likely >= _LEAST_SHARE))
    n_words = int(readings.lengths()[0])
    ends = readings.lasts[0, since:n_words]
    is_word = readings.words[:few, :, None] >= 0
    apart = np.where(is_word, np.abs(readings.lasts[:few, :, None] - ends), _NEAR + 1)
    if not apart.size:
        return []
    closest, near = apart.argmin(axis=1), apart.min(axis=1) <= _NEAR
    judged = []
    for place, word in enumerate(readings.words[0, since:n_words].tolist()):
        there = np.flatnonzero(near[:, place])
        numbers, which = np.unique(
            readings.words[there, closest[there, place]], return_inverse=True
        )
        votes = np.bincount(which, likely[there])
        ranked = sorted(zip(numbers.tolist(), votes.tolist(), strict=True), key=lambda v: -v[1])
        share = next(vote for number, vote in ranked if number == word)
        judged.append(Judged(min(share, 1.0), tuple(v for v in ranked if v[0] != word)))
    return judged
