"""At which steps a network says the phonemes of a word that it is known to have said.

The likeliest of all paths that spell a word, blanks between and repeats allowed (the Viterbi path
through the states of Graves et al., ICML 2006), says where each phoneme begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.speech.phonemes import BOUNDARY, phoneme_ids

__all__ = ["align", "last_phoneme"]

_BLANK = 0
_FLOOR = 1e-30


def align(
    log_likely: NDArray[np.floating[Any]], names: Sequence[int]
) -> tuple[float, NDArray[np.int64]]:
    """Return how likely the likeliest path is that says `names`, and where each of them begins.

    Parameters
    ----------
    log_likely
        (n_steps, n_classes) logarithms of probabilities.
    names
        (k,) the classes that were said, in order, without blanks; one at least.

    Returns
    -------
    The logarithm of the path's probability, and (k,) steps; minus infinity, and no steps, where
    there are too few of them.
    """
    states = np.zeros(2 * len(names) + 1, np.int64)
    states[1::2] = names
    may_skip = np.zeros(len(states), np.bool_)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    log = np.asarray(log_likely, np.float64)[:, states]
    best = np.full(len(states), -math.inf)
    best[:2] = 0.0
    back = np.zeros(log.shape, np.int64)
    for step, row in enumerate(log):
        if step:
            before = np.full((3, len(states)), -math.inf)
            before[0], before[1, 1:] = best, best[:-1]
            before[2, 2:] = np.where(may_skip[2:], best[:-2], -math.inf)
            back[step] = before.argmax(axis=0)
            best = before.max(axis=0)
        best = best + row
    state = len(states) - (1 if best[-1] > best[-2] else 2)
    if not len(log) or best[state] == -math.inf:
        return -math.inf, np.zeros(0, np.int64)
    likely, path = float(best[state]), np.zeros(len(log), np.int64)
    for step in range(len(log) - 1, -1, -1):
        path[step] = state
        state -= back[step, state]
    return likely, np.searchsorted(path, np.arange(1, len(states), 2))


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
    from devices.speech.pronunciation import pronunciations

    try:
        ways = pronunciations(word)
    except ValueError:
        return None
    log = np.log(np.maximum(probabilities, _FLOOR))
    found = [align(log, phoneme_ids((*way, BOUNDARY))) for way in ways]
    likely, begins = max(found, key=lambda each: each[0])
    return None if likely == -math.inf else int(begins[-2])
