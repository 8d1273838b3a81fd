"""Where samples are missing, judged by their stamps: one rule for live streams and for files.

Two samples that follow each other belong together while their stamps are at most one period plus
`gap_s` apart; more, and something is missing. Stamps that jump back by more than `gap_s` are a
gap too (the clock was reset), only that nobody knows how much was lost. Whatever is less than that
is jitter. The rule looks at neighbours only, so how the samples were cut into chunks changes
nothing, and a file splits offline exactly where its live stream reports gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gap", "GapDetector", "find_gaps", "split_at_gaps"]


#: As many as a float counts one by one; what is more is no count.
_MOST_LOST = 2.0**53


@dataclass(frozen=True, slots=True)
class Gap:
    """What was found missing in one chunk.

    Parameters
    ----------
    indices
        Positions, in the times that were fed, of the first sample after each gap; 0 when it lies
        between the previous chunk and this one. Ascending, never empty.
    n_lost
        Samples missing in all of them together, by the stamps; 0 for a jump back.
    """

    indices: tuple[int, ...]
    n_lost: int


class GapDetector:
    """Judges a live stream chunk by chunk.

    Parameters
    ----------
    rate_hz
        Samples that really come each second (nominal rate times the speed of a replay).
    gap_s
        How much longer than one period may pass between two samples. Never counts as less than
        one period: a gap is at least one whole sample.
    """

    def __init__(self, rate_hz: float, gap_s: float = 0.25) -> None:
        self._rate_hz = rate_hz
        self._period_s = 1.0 / rate_hz
        self._slack_s = max(gap_s, self._period_s)
        self._last_s: float | None = None

    def feed(self, times: NDArray[np.float64]) -> Gap | None:
        """Take the next chunk's stamps, (n,) in seconds, n > 0, and say whether any are missing.

        Returns
        -------
        Gap or None
            None when all follow each other. The very first sample follows nothing.
        """
        first_s = float(times[0])
        step_s = self._period_s if self._last_s is None else first_s - self._last_s
        self._last_s = float(times[-1])
        with np.errstate(invalid="ignore", over="ignore"):  # a damaged stamp may be any number
            steps = times[1:] - times[:-1]
        if self._is_regular(step_s) and (
            len(steps) == 0
            or (self._is_regular(float(steps.max())) and self._is_regular(float(steps.min())))
        ):
            return None
        return self._describe(np.concatenate(([step_s], steps)))

    def _is_regular(self, step_s: float) -> bool:
        return -self._slack_s <= step_s <= self._period_s + self._slack_s

    def _describe(self, steps: NDArray[np.float64]) -> Gap:
        indices = _breaks(steps, self._period_s, self._slack_s)
        with np.errstate(invalid="ignore", over="ignore"):
            lost = np.fmax(np.rint(steps[indices] * self._rate_hz) - 1, 0.0)  # not a number: 0
        return Gap(tuple(indices.tolist()), int(np.fmin(lost, _MOST_LOST).sum()))


def find_gaps(times: NDArray[np.float64], rate_hz: float, gap_s: float = 0.25) -> NDArray[np.intp]:
    """Return the indices of the first samples after each gap in (n,) `times`, ascending."""
    period_s = 1.0 / rate_hz
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.diff(times)
    return _breaks(steps, period_s, max(gap_s, period_s)) + 1


def split_at_gaps(times: NDArray[np.float64], rate_hz: float, gap_s: float = 0.25) -> list[slice]:
    """Return the gap-free stretches of (n,) `times`, in order; together they cover all of it."""
    if len(times) == 0:
        return []
    edges = [0, *find_gaps(times, rate_hz, gap_s).tolist(), len(times)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _breaks(steps: NDArray[np.float64], period_s: float, slack_s: float) -> NDArray[np.intp]:
    # Written so that a step that is not a number is a break.
    return np.flatnonzero(~((steps >= -slack_s) & (steps <= period_s + slack_s)))
