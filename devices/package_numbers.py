"""Finds samples that a board lost on the way, by the numbers of its packages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PackageNumbers"]

_BYTE = 256


class PackageNumbers:
    """Learns how a board counts its packages, and says where numbers are missing.

    Boards count by 1 or 2, give several samples one number, and start over after 255 or never;
    what is the rule is learnt from the smallest step and the longest run seen so far. A number
    that falls back without a known period says nothing.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._highest = 0
        self._step = 0
        self._per_package = 1
        self._run = 0

    def feed(self, numbers: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return how many samples are missing directly before each of these, (n,).

        Parameters
        ----------
        numbers
            (n,) package number of each sample, n > 0, in order.
        """
        now = np.rint(numbers).astype(np.int64)
        self._highest = max(self._highest, int(now.max()))
        before = np.concatenate(([now[0] if self._last is None else self._last], now[:-1]))
        steps = now - before
        if self._highest < _BYTE:
            steps[steps < 0] += _BYTE
        self._learn(steps)
        self._last = int(now[-1])
        if not self._step:
            return np.zeros(len(now), np.int64)
        packages = np.maximum(np.rint(steps / self._step).astype(np.int64) - 1, 0)
        return packages * self._per_package

    def _learn(self, steps: NDArray[np.int64]) -> None:
        forward = steps[steps > 0]
        if len(forward):
            smallest = int(forward.min())
            self._step = min(self._step, smallest) if self._step else smallest
        edges = np.flatnonzero(steps)
        longest = 0
        if len(edges):
            longest = max(self._run + int(edges[0]), int(np.diff(edges).max(initial=0)))
            self._run = -int(edges[-1])
        self._run += len(steps)
        self._per_package = max(self._per_package, longest, self._run)
