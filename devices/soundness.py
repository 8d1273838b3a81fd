"""Whether a sender's stamps can be believed: one that has jumped says nothing of a sample's age.

Each jump that is seen on the stamps (`devices.stamps`) makes them unsound, until none has come for
half a second. What is too small to be seen there shows in the age of the samples when they arrive,
looked at in stretches of half a second, by the youngest of each:

- A sample cannot arrive before it was taken. Ages below zero, by more than clocks of two machines
  differ, are of a clock that went ahead.
- Samples that are late have stamps that go on as they are counted. If ages grew as much as stamps
  fell behind the count, the clock went back.

After two such stretches, with regular stamps, the clock is taken for another one: samples are as
old as they were before. That is a jump too, so they are believed half a second later.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Soundness", "repaired"]

_STRETCH_S = 0.5
_N_STRETCHES = 2
_TOLERANCE_S = 0.05
_MOST_FALL_S = 0.01
"""A stretch more teaches nothing of the real rate, against which stamps always fall back a bit."""


class Soundness:
    """Judges the stamps of one stream.

    Parameters
    ----------
    rate_hz
        Samples that really come each second.

    Attributes
    ----------
    usual_s
        How old the newest sample is when it comes, at least; None before that is known.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._sound_from_s = -math.inf
        self.usual_s: float | None = None
        self._n_wrong = 0
        self._fell_back_s = self._usual_fall_s = 0.0
        self._begun_s: float | None = None
        self._raw_s = self._youngest_s = 0.0
        self._n = 0

    def is_sound(self, now_s: float) -> bool:
        """Say whether no jump was seen for long enough."""
        return now_s >= self._sound_from_s

    def jumped(self, arrival_s: float) -> None:
        """Take in that a jump was seen: what was reckoned since tells nothing."""
        self._sound_from_s = arrival_s + _STRETCH_S
        self._begun_s = None
        self._n_wrong, self._fell_back_s = 0, 0.0

    def restart(self) -> None:
        """Forget everything: another sender, or another clock."""
        self.usual_s = None
        self._begun_s = None
        self._n_wrong, self._fell_back_s, self._usual_fall_s = 0, 0.0, 0.0

    def feed(self, raw: NDArray[np.float64], newest_s: float, arrival_s: float) -> float:
        """Take in a chunk; return what its times are too early by, once that is certain, else 0.

        Parameters
        ----------
        raw
            (n,) the sender's stamps, n > 0.
        newest_s
            Time of the last one, on this machine's clock.
        arrival_s
            When they arrived.
        """
        age_s = arrival_s - newest_s
        if self._begun_s is None:
            self._begin(raw, arrival_s)
            return 0.0
        self._youngest_s = min(self._youngest_s, age_s)
        self._n += len(raw)
        if arrival_s - self._begun_s < _STRETCH_S:
            return 0.0
        fell_back_s = self._n / self._rate_hz - (float(raw[-1]) - self._raw_s)
        youngest_s = self._youngest_s
        self._begin(raw, arrival_s)
        return self._judge(youngest_s, fell_back_s)

    def _begin(self, raw: NDArray[np.float64], arrival_s: float) -> None:
        """Begin a stretch after the samples of `raw`."""
        self._begun_s, self._raw_s = arrival_s, float(raw[-1])
        self._youngest_s, self._n = math.inf, 0

    def _judge(self, youngest_s: float, fell_back_s: float) -> float:
        usual_s = self.usual_s
        fell_back_s -= self._usual_fall_s
        self._fell_back_s += fell_back_s
        grown_s = 0.0 if usual_s is None else youngest_s - usual_s
        is_ahead = youngest_s < -_TOLERANCE_S
        is_behind = grown_s > _TOLERANCE_S and abs(self._fell_back_s - grown_s) < 0.3 * grown_s
        if not (is_ahead or is_behind):
            self.usual_s = max(0.0, youngest_s)
            # It shows in the ages of the next stretch only, if it was in the midst of this one.
            self._n_wrong, self._fell_back_s = 0, fell_back_s
            self._usual_fall_s += 0.2 * min(max(fell_back_s, -_MOST_FALL_S), _MOST_FALL_S)
            return 0.0
        self._n_wrong += 1
        if self._n_wrong < _N_STRETCHES:
            return 0.0
        return youngest_s - (usual_s or 0.0)


def repaired(
    raw: NDArray[np.float64], before_s: float, rate_hz: float
) -> tuple[NDArray[np.float64], bool]:
    """Return stamps that are numbers, and whether all were: each other one follows the one before.

    Parameters
    ----------
    raw
        (n,) stamps.
    before_s
        The stamp before them; not finite: none.
    rate_hz
        Samples a second.
    """
    if math.isfinite(float(np.add.reduce(raw))):
        return raw, True
    numbers = np.isfinite(raw)
    if numbers.all():  # their sum is beyond what a float holds
        return raw, True
    at = np.arange(len(raw))
    last = np.maximum.accumulate(np.where(numbers, at, -1))
    first_s = before_s if math.isfinite(before_s) else 0.0
    known_s = np.where(last < 0, first_s, raw[last])
    return known_s + (at - last) / rate_hz, False
