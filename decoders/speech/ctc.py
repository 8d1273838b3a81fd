"""Connectionist temporal classification: from steps to phonemes, and how many are wrong.

A network says at each step which class it is likely to be; the blank stands for "nothing new".
What was said is the path with repeats merged and blanks dropped (Graves et al., ICML 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edits", "collapse", "edits", "greedy"]

_BLANK = 0


def collapse(path: Sequence[int]) -> tuple[int, ...]:
    """Return the classes that a path says: repeats merged, then blanks dropped."""
    return tuple(
        each for i, each in enumerate(path) if each != _BLANK and (i == 0 or each != path[i - 1])
    )


def greedy(scores: NDArray[np.floating[Any]]) -> tuple[int, ...]:
    """Return what the likeliest classes say, of (n_steps, n_classes) that grow with likelihood."""
    best = scores.argmax(axis=1)
    new = np.diff(best, prepend=_BLANK) != 0
    return tuple(best[new & (best != _BLANK)].tolist())


@dataclass(frozen=True, slots=True)
class Edits:
    """The fewest edits that turn what was meant into what was said.

    Parameters
    ----------
    substitutions, insertions, deletions
        How many of each.
    length
        Of what was meant.
    """

    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    length: int = 0

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """Errors for each that was meant: the phoneme or word error rate; may exceed 1."""
        return self.errors / self.length if self.length else float(self.errors > 0)

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.length + other.length,
        )


def edits(said: Sequence[object], meant: Sequence[object]) -> Edits:
    """Return the fewest edits from `meant` to `said`; of several ways, one with the fewest gaps.

    Levenshtein's distance, by dynamic programming over (len(meant) + 1) × (len(said) + 1).
    """
    # a cell: errors, gaps, substitutions, insertions, deletions; so the least of three is min()
    row = [(j, j, 0, j, 0) for j in range(len(said) + 1)]
    for i, wanted in enumerate(meant, 1):
        above, row = row, [(i, i, 0, 0, i)]
        for j, heard in enumerate(said, 1):
            n, gaps, subs, ins, dels = above[j - 1]
            differs = int(wanted != heard)
            kept = (n + differs, gaps, subs + differs, ins, dels)
            n, gaps, subs, ins, dels = above[j]
            left_out = (n + 1, gaps + 1, subs, ins, dels + 1)
            n, gaps, subs, ins, dels = row[-1]
            row.append(min(kept, left_out, (n + 1, gaps + 1, subs, ins + 1, dels)))
    return Edits(*row[-1][2:], length=len(meant))
