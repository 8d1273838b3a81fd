"""How far decoded phonemes are from those that were to be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distance", "phoneme_scores"]

_DRAWS = 2000

Numbers = Sequence[int] | NDArray[np.int64]


def distance(meant: Numbers, said: Numbers) -> int:
    """Return the fewest insertions, deletions and replacements from one to the other.

    Levenshtein, Soviet Physics Doklady 10, 1966; row by row, by Wagner & Fischer, J. ACM 21, 1974.
    """
    one, other = np.asarray(meant), np.asarray(said)
    along = np.arange(len(other) + 1)
    row = along
    for number, name in enumerate(one, 1):
        kept = np.minimum(row[1:] + 1, row[:-1] + (other != name))
        # An insertion costs one a place: the least of all to the left, each brought here.
        row = np.minimum.accumulate(np.concatenate([[number], kept]) - along) + along
    return int(row[-1])


def phoneme_scores(meant: Sequence[Numbers], said: Sequence[Numbers]) -> dict[str, Any]:
    """Score what was said of sentences.

    Returns
    -------
    ``phoneme_error_rate`` (edits over phonemes), ``ci95`` (percentiles of a bootstrap over
    sentences), ``chance`` (the rate when each sentence is held against what was said of another
    one, as far away as can be; saying nothing scores 1), ``n`` sentences and ``n_phonemes``.
    """
    wrong = np.array([distance(a, b) for a, b in zip(meant, said, strict=True)])
    lengths = np.array([len(a) for a in meant])
    half = len(said) // 2
    others = [*said[half:], *said[:half]]
    astray = sum(distance(a, b) for a, b in zip(meant, others, strict=True))
    drawn = np.random.default_rng(0).integers(len(meant), size=(_DRAWS, len(meant)))
    rates = wrong[drawn].sum(axis=1) / np.maximum(1, lengths[drawn].sum(axis=1))
    low, high = np.percentile(rates, [2.5, 97.5])
    return {
        "phoneme_error_rate": float(wrong.sum() / max(1, lengths.sum())),
        "ci95": [float(low), float(high)],
        "chance": float(astray / max(1, lengths.sum())) if half else 1.0,
        "n": len(meant),
        "n_phonemes": int(lengths.sum()),
    }
