"""From stamps as written to time: clock offsets, resets and jitter, in one pass over the stamps.

The rules and thresholds are those of pyxdf's `load_xdf`, so both give the same times; here they
run piece by piece, in memory that does not grow with the recording.

Sources: pyxdf 1.17 (BSD-2-Clause), https://github.com/xdf-modules/pyxdf; Boyd et al. 2011, Found.
Trends Mach. Learn. 3:1, section 6.1.1 (Huber fitting by ADMM).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from devices.gaps import find_gaps

__all__ = ["ClockCorrection", "EvenedOut", "offset_is_corrupt"]

# A reset shows in both: offsets measured late, and a jump of the offset.
_RESET_TIME_STDS, _RESET_TIME_S = 5.0, 5.0
_RESET_OFFSET_STDS, _RESET_OFFSET_S = 10.0, 1.0
#: Offsets this far from the line, in seconds, count as outliers.
_WINSOR_S = 1e-4
#: An interruption of this length begins a new line.
_BREAK_S, _BREAK_SAMPLES = 1.0, 500

_CORRUPT_RATIO = 10.0

#: Where the fit ends, in units of `_WINSOR_S`: far below what a float64 stamp resolves.
_SETTLED = 1e-11


class ClockCorrection:
    """Brings stamps of the sender's clock onto the recorder's, by a line for each clock segment.

    Feed all stamps once, in order (`feed`); then any of them can be corrected again (`at`).

    Parameters
    ----------
    times, values
        The clock offsets: when measured on the sender's clock, and what to add, in seconds.
    """

    def __init__(self, times: list[float], values: list[float]) -> None:
        self._ranges = _ranges(times, values)
        self._lines = [_line(times[a:b], values[a:b]) for a, b in self._ranges]
        self._times = times
        self._current = 0
        self._begun = False
        self._n_fed = 0
        self._firsts: list[int] = [0]  # first sample of each segment that has samples
        self._used: list[int] = [0]  # which line each of those takes

    def feed_some(self, index: NDArray[np.int64], stamps: NDArray[np.float64]) -> None:
        """Take in the stamps of some samples of all, ascending, where all would be too many."""
        at = 0
        while self._current + 1 < len(self._ranges):
            left = self._leaves_at(stamps[at:])
            if left is None:
                break
            self._current += 1
            at += left
            self._use(int(index[at]))

    def feed(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next stamps corrected."""
        at = 0
        while self._current + 1 < len(self._ranges):
            left = self._leaves_at(stamps[at:])
            if left is None:
                break
            self._current += 1
            at += left
            self._use(self._n_fed + at)
        first = self._n_fed
        self._n_fed += len(stamps)
        return self.at(first, stamps)

    def at(self, first: int, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return stamps corrected that were fed before; `first` is the number of the first."""
        return self.at_samples(np.arange(first, first + len(stamps)), stamps)

    def at_samples(
        self, index: NDArray[np.int64], stamps: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the stamps of the samples of these numbers corrected."""
        if not self._lines:
            return stamps
        segment = np.searchsorted(self._firsts, index, side="right") - 1
        lines = np.array([self._lines[used] for used in self._used])[segment]
        corrected: NDArray[np.float64] = stamps + (lines[:, 0] + lines[:, 1] * stamps)
        return corrected

    def _leaves_at(self, stamps: NDArray[np.float64]) -> int | None:
        """Return the first stamp that is nearer to the next segment's offsets, if there is one."""
        end_s = self._times[self._ranges[self._current][1] - 1]
        next_s = self._times[self._ranges[self._current + 1][0]]
        stays = np.abs(stamps - end_s) < np.abs(stamps - next_s)
        return None if stays.all() else int(stays.argmin())

    def _use(self, sample: int) -> None:
        if self._firsts[-1] == sample:  # the segment before has no samples
            self._used[-1] = self._current
        else:
            self._firsts.append(sample)
            self._used.append(self._current)


@dataclass(slots=True)
class _Line:
    """Sums of a least-squares line over samples, in the form that merges without cancellation."""

    first: int
    zero_s: float
    n: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    s_xx: float = 0.0
    s_xy: float = 0.0

    def add(self, index: int, times: NDArray[np.float64]) -> None:
        """Add samples that begin with number `index` (Chan et al. 1983)."""
        m = len(times)
        x = np.arange(m) + float(index - self.first)
        y = times - self.zero_s
        mean_x, mean_y = float(x.mean()), float(y.mean())
        dx, dy = mean_x - self.mean_x, mean_y - self.mean_y
        share = self.n * m / (self.n + m)
        x -= mean_x
        self.s_xx += float(x @ x) + dx * dx * share
        self.s_xy += float(x @ (y - mean_y)) + dx * dy * share
        self.n += m
        self.mean_x += dx * m / self.n
        self.mean_y += dy * m / self.n

    def solve(self) -> tuple[float, float]:
        """Return the time of the first sample and the period, in seconds."""
        period_s = self.s_xy / self.s_xx if self.s_xx else 0.0
        return self.zero_s + self.mean_y - period_s * self.mean_x, period_s


@dataclass(slots=True)
class EvenedOut:
    """Stamps of a regular stream put on straight lines, one between interruptions.

    Parameters
    ----------
    rate_hz
        Nominal rate.
    breaks
        Samples before which others are missing (`devices.gaps`, and every new line).
    """

    rate_hz: float
    breaks: list[int] = field(default_factory=list)
    _lines: list[_Line] = field(default_factory=list)
    _n_fed: int = 0
    _last_s: float = 0.0
    _solved: NDArray[np.float64] | None = None

    def feed(self, times: NDArray[np.float64]) -> None:
        """Take the next corrected stamps."""
        before = np.concatenate([[self._last_s] if self._n_fed else times[:1], times])
        new_lines = np.flatnonzero(
            np.abs(np.diff(before)) > max(_BREAK_S, _BREAK_SAMPLES / self.rate_hz)
        )
        missing = find_gaps(before, self.rate_hz) - 1
        self.breaks += (np.union1d(new_lines, missing) + self._n_fed).tolist()
        edges = sorted({0, *new_lines.tolist()})
        for start, stop in zip(edges, [*edges[1:], len(times)], strict=True):
            if start in new_lines or not self._lines:
                self._lines.append(_Line(self._n_fed + start, float(times[start])))
            self._lines[-1].add(self._n_fed + start, times[start:stop])
        self._n_fed += len(times)
        self._last_s = float(times[-1])

    def times(self, first: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples `first` up to but without `stop`, once all were fed."""
        if self._solved is None:
            self._solved = np.array([(line.first, *line.solve()) for line in self._lines])
        index = np.arange(first, stop)
        line = np.searchsorted(self._solved[:, 0], index, side="right") - 1
        firsts, zeros, periods = self._solved[line].T
        times: NDArray[np.float64] = zeros + periods * (index - firsts)
        return times

    def effective_rate_hz(self) -> float:
        """Return the samples a second within the lines; 0 for a single sample."""
        solved = [(line.n, line.solve()[1]) for line in self._lines]
        seconds = sum((n - 1) * period_s for n, period_s in solved)
        return sum(n - 1 for n, _ in solved) / seconds if seconds > 0 else 0.0


def offset_is_corrupt(times: list[float], values: list[float]) -> bool:
    """Say whether the last clock offset is unlike the others.

    With more samples than the footer states, this is liblsl's fault of an outlet that vanished
    (pylsl issue 67, liblsl issue 246): the last offset and the samples in excess are garbage.
    """
    if len(times) < 3:
        return False
    steps = np.diff(times)
    usual = float(np.median(steps[:-1]))
    last = abs(float(steps[-1]))
    ratio = last / usual if usual > 0 else (np.inf if last > 0 else 1.0)
    before = np.array(values[:-1])
    median = float(np.median(before))
    spread = 1.4826 * float(np.median(np.abs(before - median)))
    tiny = 1.4826 * np.finfo(float).eps
    deviation = abs(values[-1] - median) / spread if spread > tiny else 0.0
    return bool(ratio > _CORRUPT_RATIO or deviation > _CORRUPT_RATIO)


def _ranges(times: list[float], values: list[float]) -> list[tuple[int, int]]:
    """Return [first, stop) of the offsets between which the clock was not reset."""
    if not times:
        return []
    steps, jumps = np.diff(times), np.diff(values)
    late = _stands_out(steps, _RESET_TIME_STDS, _RESET_TIME_S)
    jumped = _stands_out(jumps, _RESET_OFFSET_STDS, _RESET_OFFSET_S)
    resets = np.flatnonzero((steps < 0) | (late & jumped)) + 1
    edges = [0, *resets.tolist(), len(times)]
    return list(pairwise(edges))


def _stands_out(steps: NDArray[np.float64], stds: float, seconds: float) -> NDArray[np.bool_]:
    if not len(steps):
        return np.zeros(0, bool)
    shift = steps - np.median(steps)
    mad = np.median(np.abs(shift)) + np.finfo(float).eps
    out: NDArray[np.bool_] = (np.abs(shift / mad) > stds) & (np.abs(shift) > seconds)
    return out


def _line(times: list[float], values: list[float]) -> tuple[float, float]:
    """Return intercept and slope of the offsets over time; outliers weigh little."""
    if len(times) == 1:
        return values[0], 0.0
    zero_s = min(times)
    x = np.array(times) - zero_s
    scale = float(np.abs(x).max())
    if scale == 0:
        return 0.0, 0.0  # all measured at once: no line, and pyxdf corrects nothing
    a = np.column_stack([np.ones(len(x)), x / scale])
    offset, slope = _huber_fit(a, np.array(values) / _WINSOR_S) * _WINSOR_S
    return float(offset - slope * zero_s / scale), float(slope / scale)


def _huber_fit(
    a: NDArray[np.float64], y: NDArray[np.float64], iterations: int = 1000
) -> NDArray[np.float64]:
    """Return the x that minimises sum(huber(a x - y)), by ADMM with step 1."""
    project = np.linalg.solve(a.T @ a, a.T)
    x = np.zeros(a.shape[1])
    z = u = np.zeros_like(y)
    for _ in range(iterations):
        x = project @ (y + z - u)
        d = a @ x - y + u
        size = np.abs(d)
        shrunk = np.divide(np.maximum(size - 2, 0), size, out=np.ones_like(d), where=size > 0)
        z = 0.5 * d + 0.5 * shrunk * d
        settled = np.abs(d - z - u).max() < _SETTLED
        u = d - z
        if settled:
            break
    return x
