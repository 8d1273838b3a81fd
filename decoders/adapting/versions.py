"""Versions of a decoder that learns: each with its weights, its reason and what taught it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from decoders.adapting.adaptation import Lesson, State
from decoders.decoder import Weights

__all__ = ["Version", "Versions", "weights_hash"]

_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Version:
    """One state that the decoder was in.

    Parameters
    ----------
    number
        Counted from 0, the calibrated one.
    parent
        The version that it was learned from.
    hash
        Of the weights: see `weights_hash`.
    reason
        Why it was made.
    first, last
        The samples that taught it.
    n_rows, n_labels
        How many rows, and labels, targets or rewards.
    weights
        All that decides what is said of a row.
    states
        What each learner knew.
    """

    number: int
    parent: int
    hash: str
    reason: str
    first: int
    last: int
    n_rows: int
    n_labels: int
    weights: Weights
    states: tuple[State, ...]


class Versions:
    """The versions of one run.

    Parameters
    ----------
    weights
        The calibrated ones.
    states
        What the learners begin with.
    keep
        How many are kept; at least 4, and fewer than asked for where they would take more than
        64 MiB.
    """

    def __init__(self, weights: Weights, states: Sequence[State], keep: int) -> None:
        size = sum(a.nbytes for part in (weights, *states) for a in part.values())
        self._keep = max(4, min(keep, _MOST_BYTES // max(1, size)))
        first = Version(
            0, 0, weights_hash(weights), "calibrated", 0, 0, 0, 0, frozen(weights), tuple(states)
        )
        self._kept = {0: first}
        self._current = first
        self._next = 1

    @property
    def current(self) -> Version:
        """The one that decodes."""
        return self._current

    @property
    def kept(self) -> tuple[Version, ...]:
        """Those that can be gone back to, oldest first."""
        return tuple(self._kept.values())

    def add(self, lesson: Lesson, weights: Weights, states: Sequence[State]) -> Version:
        """Make a version of what was learned; it decodes from now on."""
        version = Version(
            self._next,
            self._current.number,
            lesson.hash or weights_hash(weights),
            lesson.reason,
            lesson.first,
            lesson.last,
            lesson.n_rows,
            lesson.n_labels,
            frozen(weights),
            tuple(states),
        )
        self._kept[self._next] = self._current = version
        self._next += 1
        if len(self._kept) > self._keep:
            self._thin()
        return version

    def back(self, number: int) -> Version | None:
        """Go back to an earlier version, and return it; None if it is not there."""
        version = self._kept.get(number)
        if version is not None:
            self._current = version
        return version

    def _thin(self) -> None:
        numbers = list(self._kept)
        for number in numbers[1 : self._keep // 2 : 2]:
            if number != self._current.number:
                del self._kept[number]


def weights_hash(weights: Weights) -> str:
    """Return what names these weights in 12 hex digits: SHA-256 over names, types, shapes, bytes.

    Little-endian, names sorted.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def frozen(weights: Weights) -> Weights:
    """Return `weights` that nobody can write to; those that one can are copied."""
    kept = {}
    for name, array in weights.items():
        if array.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
        kept[name] = array
    return kept
