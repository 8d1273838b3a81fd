"""From a sender's stamps to times on this machine's clock.

The rules, for each chunk:

1. Missing samples are judged on the raw stamps (`devices.gaps`).
2. A stamp that goes back, or leads into the future, is not a loss but a jump of the sender's
   clock. The newest sample is taken to be as old as such usually are when they come; the jump
   becomes part of the offset, and nobody should rely on ages until the stamps are sound
   (`devices.soundness`).
3. A sender whose first stamp is not of this time at all uses another clock (the epoch, the time
   of an old recording): its newest sample is taken as new.
4. The offset between the clocks stays as it is while its estimate moves less than its own noise,
   else it follows slowly, so that no step is seen in the times.
5. Samples that were stamped when they were sent are brought onto a line (`devices.jitter`).
6. Times do not decrease.
7. A stamp that is no number is a jump too; its sample follows the one before.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from devices.gaps import Gap, GapDetector
from devices.jitter import Dejitter
from devices.soundness import Soundness, repaired

__all__ = ["Timeline"]

_NOISE_S = 2e-4
_SLEW = 5e-4
"""Seconds that the offset follows its estimate each second."""
_STEP_S = 0.1
"""An estimate that is this far off did not drift there."""
_OLDEST_S, _NEWEST_S = 10.0, 1.0


class Timeline:
    """Places the samples of one stream in time.

    Parameters
    ----------
    rate_hz
        Samples that really come each second.
    gap_s
        See `devices.gaps.GapDetector`.
    offset_s
        What to add to the sender's stamps, as LSL estimates it.

    Attributes
    ----------
    n_gaps, n_lost
        Gaps so far, and the samples known to be missing in them.
    n_jumps
        Jumps of the sender's clock so far.
    """

    def __init__(self, rate_hz: float, gap_s: float, offset_s: float) -> None:
        self._rate_hz = rate_hz
        self._gap_s = max(gap_s, 1.0 / rate_hz)
        self._gaps = GapDetector(rate_hz, gap_s)
        self._dejitter = Dejitter(rate_hz)
        self._offset_s = offset_s
        self._jump_s = 0.0
        self._is_new = True
        self._soundness = Soundness(rate_hz)
        self._last_raw_s = -np.inf
        self._last_s = -np.inf
        self.n_gaps = 0
        self.n_lost = 0
        self.n_jumps = 0

    @property
    def offset_s(self) -> float:
        """What is added to the sender's stamps now."""
        return self._offset_s + self._jump_s

    def is_sound(self, now_s: float) -> bool:
        """Say whether the ages of samples can be relied on: no jump for long enough."""
        return self._soundness.is_sound(now_s)

    def place(
        self, raw: NDArray[np.float64], arrival_s: float, times: NDArray[np.float64]
    ) -> tuple[int, ...]:
        """Write the times of one chunk.

        Parameters
        ----------
        raw
            (n,) the sender's stamps, n > 0.
        arrival_s
            When they arrived, on this machine's clock.
        times
            (n,) is written to.

        Returns
        -------
        tuple of int
            Positions of the first sample after each gap.
        """
        raw, are_numbers = repaired(raw, self._last_raw_s, self._rate_hz)
        gap = self._gaps.feed(raw)
        if self._is_new:
            self._anchor(raw, arrival_s)
        if not are_numbers:
            self._note_jump(arrival_s)
        if gap is None:
            np.add(raw, self.offset_s, out=times)
            self._dejitter.smooth(times)
        else:
            self._place_around(gap, raw, arrival_s, times)
        self._mind(raw, float(times[-1]), arrival_s)
        np.maximum.accumulate(times, out=times)
        if times[0] < self._last_s:
            np.maximum(times, self._last_s, out=times)
        self._last_raw_s, self._last_s = float(raw[-1]), float(times[-1])
        return () if gap is None else gap.indices

    def to_local(self, raw_s: float) -> float:
        """Return a stamp of the same sender (a marker's) in this machine's time."""
        return raw_s + self.offset_s

    def steer(self, estimate_s: float, elapsed_s: float) -> None:
        """Follow a new estimate of the offset, `elapsed_s` after the last one."""
        error_s = estimate_s - self._offset_s
        if abs(error_s) > _STEP_S:
            self.restart(estimate_s)
        elif abs(error_s) > _NOISE_S:
            limit_s = _SLEW * elapsed_s
            self._offset_s += min(max(error_s, -limit_s), limit_s)

    def restart(self, offset_s: float) -> None:
        """Take the sender's clock as a new one."""
        self._offset_s, self._jump_s, self._is_new = offset_s, 0.0, True
        self._dejitter.restart()
        self._soundness.restart()

    def _anchor(self, raw: NDArray[np.float64], arrival_s: float) -> None:
        self._is_new = False
        age_s = arrival_s - (float(raw[-1]) + self._offset_s)
        if not -_NEWEST_S <= age_s <= _OLDEST_S:
            self._jump_s = age_s
            self.n_jumps += 1

    def _mind(self, raw: NDArray[np.float64], newest_s: float, arrival_s: float) -> None:
        """Where the ages of samples are certainly wrong, mend what follows."""
        early_s = self._soundness.feed(raw, newest_s, arrival_s)
        if early_s:
            self._jump_s += early_s
            self._dejitter.restart()
            self._note_jump(arrival_s)

    def _note_jump(self, arrival_s: float) -> None:
        self.n_jumps += 1
        self._soundness.jumped(arrival_s)

    def _place_around(
        self, gap: Gap, raw: NDArray[np.float64], arrival_s: float, times: NDArray[np.float64]
    ) -> None:
        self.n_gaps += len(gap.indices)
        edges = (*gap.indices, len(raw))
        np.add(raw[: edges[0]], self.offset_s, out=times[: edges[0]])
        self._dejitter.smooth(times[: edges[0]])
        for start, stop in pairwise(edges):
            before_raw_s = float(raw[start - 1]) if start else self._last_raw_s
            behind_s = (len(raw) - 1 - start) / self._rate_hz
            expected_s = arrival_s - (self._soundness.usual_s or 0.0) - behind_s
            self._cross(float(raw[start]), before_raw_s, expected_s, arrival_s)
            np.add(raw[start:stop], self.offset_s, out=times[start:stop])
            self._dejitter.restart()
            self._dejitter.smooth(times[start:stop])

    def _cross(
        self, raw_s: float, before_raw_s: float, expected_s: float, arrival_s: float
    ) -> None:
        """Judge one gap: samples lost, or a clock that jumped."""
        step_s = raw_s - before_raw_s
        is_ahead = raw_s + self.offset_s > arrival_s + self._gap_s
        if step_s > 0 and not is_ahead:
            self.n_lost += max(round(step_s * self._rate_hz) - 1, 0)
            return
        self._jump_s = expected_s - (raw_s + self._offset_s)
        self._note_jump(arrival_s)
