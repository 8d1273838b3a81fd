"""At which steps a network says the phonemes of words that it is known to have said.

The likeliest of all paths that spell them, blanks between and repeats allowed (the Viterbi path
through the states of Graves et al., ICML 2006), says where each phoneme begins; of several ways to
say a word it goes through one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.speech.phonemes import BOUNDARY, phoneme_ids

__all__ = ["Aligned", "align", "last_phoneme", "log_of", "ways_to_say"]

_BLANK = 0
_FLOOR = 1e-30
Ways = Sequence[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Aligned:
    """How a word was said.

    Parameters
    ----------
    said
        (k,) its classes.
    begins
        (k,) the step at which each begins.
    """

    said: tuple[int, ...]
    begins: tuple[int, ...]


@dataclass(slots=True)
class _States:
    """The states that paths go through: the class of each, and those that it may come from."""

    classes: list[int] = field(default_factory=lambda: [_BLANK])
    before: list[list[int]] = field(default_factory=lambda: [[0]])

    def add(self, each: int, before: Sequence[int]) -> int:
        """Add a state that may stay, or come from `before`."""
        new = len(self.classes)
        self.classes.append(each)
        self.before.append([new, *before])
        return new

    def say(self, names: Sequence[int], ends: Sequence[int]) -> tuple[list[int], list[int]]:
        """Add classes in order, after states that may be the last before them.

        Return the state of each class, and those that may be the last after them.
        """
        states = []
        for name in names:
            state = self.add(name, [e for e in ends if self.classes[e] != name])
            states.append(state)
            ends = [state, self.add(_BLANK, [state])]
        return states, list(ends)

    def table(self) -> NDArray[np.int64]:
        """Return (n_states, most) states that each may come from; n_states where there is none."""
        most = max(map(len, self.before))
        none = len(self.classes)
        return np.array([[*b, *[none] * (most - len(b))] for b in self.before])


def align(
    log_likely: NDArray[np.floating[Any]], words: Sequence[Ways]
) -> tuple[float, list[Aligned]]:
    """Return how likely the likeliest path is that says `words`, and how it says each of them.

    Parameters
    ----------
    log_likely
        (n_steps, n_classes) logarithms of probabilities.
    words
        Of each word the ways to say it: classes in order, without blanks; one at least.

    Returns
    -------
    The logarithm of the path's probability, and the words; minus infinity, and none, where there
    are too few steps.
    """
    states, ends = _States(), [0]
    ways: list[list[list[int]]] = []
    for word in words:
        found = [states.say(way, ends) for way in word]
        ways.append([said for said, _ in found])
        ends = [end for _, last in found for end in last]
    begun = [0, *(way[0] for way in ways[0])]
    likely, path = _likeliest(log_likely[:, states.classes], states.table(), begun, ends)
    begins: dict[int, int] = {}
    for step, state in enumerate(path.tolist()):
        begins.setdefault(state, step)
    aligned = []
    for word, tried in zip(words, ways if begins else (), strict=bool(begins)):
        which = next(i for i, way in enumerate(tried) if way[0] in begins)
        aligned.append(Aligned(tuple(word[which]), tuple(begins[s] for s in tried[which])))
    return likely, aligned


def _likeliest(
    log: NDArray[np.floating[Any]],
    before: NDArray[np.int64],
    begun: Sequence[int],
    ends: Sequence[int],
) -> tuple[float, NDArray[np.int64]]:
    """Return the likeliest path through states that begins in `begun` and ends in `ends`.

    Parameters
    ----------
    log
        (n_steps, n_states) logarithms of probabilities.
    before
        (n_states, most) states that each may come from; n_states where there is none.
    """
    n = log.shape[1]
    best = np.full(n + 1, -math.inf)
    came = np.zeros(log.shape, np.int64)
    for step, row in enumerate(np.asarray(log, np.float64)):
        if step:
            tried = best[before]
            which = tried.argmax(axis=1)
            came[step] = before[np.arange(n), which]
            best[:n] = tried[np.arange(n), which] + row
        else:
            best[begun] = row[begun]
    state = max(ends, key=best.__getitem__)
    if not len(log) or best[state] == -math.inf:
        return -math.inf, np.zeros(0, np.int64)
    path = np.zeros(len(log), np.int64)
    likely = float(best[state])
    for step in range(len(log) - 1, -1, -1):
        path[step] = state
        state = int(came[step, state])
    return likely, path


def ways_to_say(word: str) -> list[tuple[int, ...]]:
    """Return every pronunciation of a word, each with the boundary after it, as classes.

    Raises
    ------
    ValueError
        It is not one word, or has what cannot be said.
    ModuleNotFoundError
        The dictionary is not installed.
    """
    from devices.speech.pronunciation import pronunciations

    return [phoneme_ids((*way, BOUNDARY)) for way in pronunciations(word)]


def log_of(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return logarithms; where nothing is likely, of next to nothing."""
    return np.log(np.maximum(probabilities, _FLOOR))


def last_phoneme(probabilities: NDArray[np.floating[Any]], word: str) -> int | None:
    """Return the step at which the last phoneme of a word begins to be said.

    Of several pronunciations the one counts that the network is likeliest to have said.

    Parameters
    ----------
    probabilities
        (n_steps, n_classes), of the word alone: from its first phoneme to the boundary after it.
    word
        What was said.

    Returns
    -------
    None where it is not known how the word is said, or it cannot be said in so few steps.

    Raises
    ------
    ModuleNotFoundError
        The dictionary is not installed.
    """
    try:
        ways = ways_to_say(word)
    except ValueError:
        return None
    _, aligned = align(log_of(probabilities), [ways])
    return aligned[0].begins[-2] if aligned else None
