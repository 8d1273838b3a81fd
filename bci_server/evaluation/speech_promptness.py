"""How soon words of speech are shown: after their last phoneme, and after what decides them.

When a phoneme was said is known by forced alignment: the likeliest path through the probabilities
of the decoder that spells what was meant. It counts to the end of its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.speech.alignment import align, log_of, ways_to_say
from decoders.speech.running import Listener

__all__ = ["Heard", "RightWord", "after_deciding_phoneme", "promptness"]

_PROMPT_S = 0.3
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class RightWord:
    """A word that was right.

    Parameters
    ----------
    place
        Of the words that were meant, from 0 on.
    came, stayed
        Samples at which it was first shown, and from which on it stayed.
    """

    place: int
    came: int
    stayed: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence.

    Parameters
    ----------
    meant
        Its words.
    right
        Those of them that were said.
    steps
        (n,) the last sample of each step.
    probabilities
        (n, n_classes) what the decoder said of each.
    rate_hz
        Of the samples.
    """

    meant: Sequence[str]
    right: Sequence[RightWord]
    steps: Sequence[int]
    probabilities: NDArray[np.float64]
    rate_hz: float


@dataclass(frozen=True, slots=True)
class _Decided:
    """A right word, what decides it, and the samples at which its phonemes were said."""

    word: RightWord
    by: str
    decided: int
    said: int


def after_deciding_phoneme(sentences: Sequence[Heard], listener: Listener) -> dict[str, Any] | None:
    """Return how long after the phoneme that decides them words that are right were shown.

    Returns
    -------
    ``n`` words; how many are ``decided`` by a phoneme ``before_last`` of theirs, by their ``last``,
    by their ``boundary``, ``later`` or ``never`` (these count from their last phoneme); seconds to
    when they were ``first`` shown and to when they were shown as they ``stayed``, see `promptness`;
    and ``once_said``, the same from the last phoneme of words that one before it decides. None:
    there were no words.
    """
    found = [list(_decided(each, listener)) for each in sentences]
    by = [each.by for words in found for each in words]
    if not by:
        return None

    def late(shown: str, since: str) -> dict[str, Any]:
        seconds = [
            [(getattr(w.word, shown) - getattr(w, since)) / each.rate_hz for w in words]
            for each, words in zip(sentences, found, strict=True)
        ]
        return promptness(seconds)

    return {
        "n": len(by),
        "decided": {
            name: by.count(name) for name in ("before_last", "last", "boundary", "later", "never")
        },
        "first": late("came", "decided"),
        "stayed": late("stayed", "decided"),
        "once_said": {"first": late("came", "said"), "stayed": late("stayed", "said")},
    }


def _decided(sentence: Heard, listener: Listener) -> Iterator[_Decided]:
    """Return the right words of a sentence; none where nobody knows how it is said."""
    try:
        ways = [ways_to_say(word) for word in sentence.meant]
    except ValueError:
        return
    _, aligned = align(log_of(sentence.probabilities), ways)
    if not aligned or not sentence.right:
        return
    decided = listener.decide(sentence.meant, [each.said for each in aligned])
    ends = [sentence.steps[step] for each in aligned for step in each.begins]
    boundaries = np.cumsum([len(each.said) for each in aligned]) - 1
    for word in sentence.right:
        by, boundary = decided[word.place], int(boundaries[word.place])
        last = boundary - 1
        at = last if by is None else by
        yield _Decided(word, _name(by, boundary), ends[at], ends[max(at, last)])


def _name(decided: int | None, boundary: int) -> str:
    if decided is None:
        return "never"
    if decided < boundary:
        return "last" if decided == boundary - 1 else "before_last"
    return "boundary" if decided == boundary else "later"


def promptness(by_sentence: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return how late words are, of seconds in each sentence; one word at least.

    Returns
    -------
    ``p50``, ``p90``, ``p95``; the share ``within_300_ms`` and its ``ci95``, a bootstrap over
    sentences.
    """
    late = [np.array(each) for each in by_sentence if len(each)]
    found = np.percentile(np.concatenate(late), (50, 90, 95))
    spread = {f"p{p}": float(value) for p, value in zip((50, 90, 95), found, strict=True)}
    n_prompt = np.array([np.count_nonzero(each <= _PROMPT_S + 1e-9) for each in late])
    lengths = np.array([len(each) for each in late])
    drawn = np.random.default_rng(0).integers(len(late), size=(_DRAWS, len(late)))
    shares = n_prompt[drawn].sum(axis=1) / lengths[drawn].sum(axis=1)
    return {
        **spread,
        "within_300_ms": float(n_prompt.sum() / lengths.sum()),
        "ci95": _interval(shares),
    }


def _interval(values: Iterable[float]) -> list[float]:
    return [float(v) for v in np.percentile(np.array(values), [2.5, 97.5])]
