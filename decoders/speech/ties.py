"""Sets apart what a network finds exactly as likely, so that chance does not choose.

Of readings that are exactly as good, flashlight-text keeps those whose objects lie at the larger
addresses of memory, and these are other ones in each process. Networks that are very sure of
themselves say 0 of all other classes, so that ties are common. A thousandth of a logarithm, another
one for each class and step, and always the same, decides instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["offsets"]

_MOST = 2.0**-10
"""Far above the rounding of a float32 logarithm, far below what any network knows."""

_FRACTION_BITS = 24


def offsets(n_steps: int, n_classes: int) -> NDArray[np.float64]:
    """Return what to add to logarithms of probabilities, (n_steps, n_classes), from 0 to 2⁻¹⁰.

    No two of a step are closer than the rounding of float32; and sums over several steps, in
    another order of the classes, are others.
    """
    drawn = _mixed(np.arange(n_steps * n_classes, dtype=np.uint64)).reshape(n_steps, n_classes)
    ranks = drawn.argsort(axis=1).argsort(axis=1)
    within = (drawn >> np.uint64(64 - _FRACTION_BITS)) / 2.0**_FRACTION_BITS / 2
    return _MOST * (ranks + within) / n_classes


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers that look drawn at random (SplitMix64: Steele et al., OOPSLA 2014)."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
