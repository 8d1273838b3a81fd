"""Samples on an even grid, for formats that know a rate and a start but no stamps.

Each stretch without a gap lies on the grid as a whole; holes are filled, and said to be holes. So
times are right to half a sample at the start of a stretch, whatever was lost before, and drift with
the sender's true rate within it: the report says by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bci_server.export.report import CannotHold, Report
from bci_server.export.source import Series, Source

__all__ = ["SKIP", "Grid", "Mark", "tell_other_streams", "unique_names"]

SKIP = "BAD_ACQ_SKIP"
"""What MNE calls a stretch in which nothing was recorded."""

_FITTED = 100
_ON_SAMPLE = 1e-6
_MOST_FILLED = 2.0
_ALWAYS_FILLED_S = 60.0

Mark = tuple[float, float, str]
"""Onset and duration in seconds from the first sample, and a text."""


class Grid:
    """Where each sample of a stream lies on an even grid.

    Parameters
    ----------
    series
        The stream.
    report
        Told of gaps, and how far stamps are off.

    Attributes
    ----------
    positions
        (n,) int64, ascending: place of each sample.
    n_places
        Length of the grid.
    holes
        (first place, number of places) of each hole.

    Raises
    ------
    CannotHold
        The gaps are far longer than what was recorded.
    """

    def __init__(self, series: Series, report: Report) -> None:
        self._series = series
        n, rate_hz = len(series.times), series.rate_hz
        self._edges = [0, *series.breaks.tolist(), n]
        fits = [_fit(series.times[a:b], rate_hz) for a, b in pairwise(self._edges)]
        self._firsts_s = np.array([first_s for first_s, _ in fits])
        self._periods_s = np.array([period_s for _, period_s in fits])
        self.positions = np.empty(n, np.int64)
        self.holes: list[tuple[int, int]] = []
        end = n_back = 0
        for (a, b), first_s in zip(pairwise(self._edges), self._firsts_s, strict=True):
            at = round((first_s - self._firsts_s[0]) * rate_hz) if np.isfinite(first_s) else end
            n_back += at < end
            start = max(at, end)
            if start > end:
                self.holes.append((end, start - end))
            self.positions[a:b] = np.arange(start, start + b - a)
            end = start + b - a
        self.n_places = end
        self._check_size(report)
        self._tell(report, n_back)

    def fill(self, values: NDArray[np.generic], filler: float = 0) -> NDArray[np.generic]:
        """Return (n_places, …) of the same type, with `filler` in the holes."""
        if not self.holes:
            return values
        filled = np.full((self.n_places, *values.shape[1:]), filler, values.dtype)
        filled[self.positions] = values
        return filled

    def place_of(self, time_s: float) -> float:
        """Return the place, between samples too, that belongs to a time of the stream's clock."""
        known = np.maximum.accumulate(self._firsts_s)
        slack_s = 0.5 / self._series.rate_hz
        stretch = max(int(np.searchsorted(known, time_s + slack_s, side="right")) - 1, 0)
        first, stop = self._edges[stretch], self._edges[stretch + 1]
        step = (time_s - self._firsts_s[stretch]) / self._periods_s[stretch]
        place = float(self.positions[first] + step)
        if stop < len(self.positions):
            place = min(place, float(self.positions[stop]))
        # A marker on a sample stays there, whatever the last digits of its time.
        return float(round(place)) if abs(place - round(place)) < _ON_SAMPLE else place

    def marks(self, source: Source, report: Report) -> list[Mark]:
        """Return holes and markers, in order; tell of markers that lie outside."""
        rate_hz = self._series.rate_hz
        marks = [(at / rate_hz, n / rate_hz, SKIP) for at, n in self.holes]
        places = [(self.place_of(m.time_s), m.label) for m in source.main_markers]
        inside = [(p, label) for p, label in places if -0.5 <= p <= self.n_places - 0.5]
        marks += [(max(p, 0.0) / rate_hz, 0.0, label) for p, label in inside]
        if inside:
            report.exact.append(f"{len(inside)} markers, where they lie between the samples")
        if outside := len(places) - len(inside):
            report.left_out.append(f"{outside} markers before the first or after the last sample")
        for name in source.markers:
            if name not in (source.main_list, *source.main_list.split(" + ")):
                report.left_out.append(f"the markers {name!r}: there is room for one list")
        return sorted(marks)

    def _check_size(self, report: Report) -> None:
        n = len(self.positions)
        added = self.n_places - n
        if added > max((_MOST_FILLED - 1) * n, _ALWAYS_FILLED_S * self._series.rate_hz):
            raise CannotHold(
                f"{report.source} has gaps of {added / self._series.rate_hz:.0f} s in all, and "
                f"{n / self._series.rate_hz:.0f} s of samples; {report.format} would be mostly "
                "holes. nwb, csv and parquet hold gaps as they are"
            )

    def _tell(self, report: Report, n_back: int) -> None:
        series, rate_hz = self._series, self._series.rate_hz
        if self.holes:
            n = sum(n for _, n in self.holes)
            report.changed.append(
                f"{len(self.holes)} gaps are filled with {n} samples of 0 and marked {SKIP}"
            )
        if n_back:
            report.changed.append(
                f"the clock was set back {n_back} times; what follows is put behind what was before"
            )
        off = series.times - (self._firsts_s[0] + self.positions / rate_hz)
        worst_s = float(np.nanmax(np.abs(off)))
        if worst_s <= 1e-6:
            report.exact.append("times of samples, to 1 µs")
        else:
            report.changed.append(
                f"times of samples follow from the rate of {rate_hz:g} Hz: their stamps are up to "
                f"{1e3 * worst_s:.3f} ms off"
            )


def tell_other_streams(source: Source, report: Report) -> None:
    """Say what a format with a single stream leaves out."""
    for series in source.series:
        if series is not source.main and series.name != source.main.name:
            report.left_out.append(
                f"the stream {series.name!r} ({len(series.channels)} channels); --stream takes it"
            )
    if source.outputs:
        report.left_out.append("what was decoded; nwb, csv, parquet and mcap hold it")


def unique_names(names: Sequence[str], longest: int, report: Report) -> list[str]:
    """Return ASCII names of bounded length, no two of them alike; tell which have changed."""
    taken: dict[str, str] = {}
    for name in names:
        plain = name.encode("ascii", "replace").decode()
        plain = "".join(c if c.isprintable() else "?" for c in plain)
        short, n = plain[:longest], 2
        while short in taken:
            end = f"~{n}"
            short, n = plain[: longest - len(end)] + end, n + 1
        taken[short] = name
    if changed := [f"{name} → {short}" for short, name in taken.items() if name != short]:
        report.changed.append(f"names of channels: {', '.join(changed)}")
    return list(taken)


def _fit(times: NDArray[np.float64], rate_hz: float) -> tuple[float, float]:
    """Return the time of the first sample and the period, by least squares over a stretch."""
    n = len(times)
    index = np.arange(n) - (n - 1) / 2
    start_s = float(times[0])
    moved = times - start_s  # so that large clocks lose no digits
    period_s = 1 / rate_hz
    if n >= _FITTED:
        period_s = float(index @ moved / (index @ index))
        if not 0.5 < period_s * rate_hz < 2:  # stamps that say nothing
            period_s = 1 / rate_hz
    first_s = start_s + float(moved.mean()) - period_s * (n - 1) / 2
    return first_s, period_s
