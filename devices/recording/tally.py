"""What is counted about one stream of a recording while it is read: stamps, gaps, clocks, hash."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

import numpy as np

from devices.gaps import GapDetector
from devices.recording.xdf_chunks import Layout, Samples

__all__ = ["GapAt", "StreamReport", "Tally"]

_MOST_GAPS = 1000
_RESET_S = 1.0
"""Two clock offsets that follow each other and differ by more: the sender's clock was set anew."""


@dataclass(frozen=True, slots=True)
class GapAt:
    """Where samples are missing: the last stamp before, the first after, in seconds."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream of a recording.

    Parameters
    ----------
    number, name, kind, format, n_channels, rate_hz
        What it is.
    n_samples, first_s, last_s
        What is there; None for a stream without samples.
    effective_rate_hz
        Samples a second between the first and the last, without the gaps; None below two samples.
    n_gaps, n_lost, gaps
        Where samples are missing by the stamps, how many in all, and the first 1,000 places.
    n_backward
        Samples whose stamp is smaller than the one before.
    n_not_finite
        Stamps that are no number.
    n_clock_offsets, n_clock_resets
        Measurements of the clock, and how often it was set anew between two.
    footer
        Whether the footer agrees with what is there.
    sha256
        Of the stamps and the values.
    """

    number: int
    name: str
    kind: str
    format: str
    n_channels: int
    rate_hz: float
    n_samples: int
    first_s: float | None
    last_s: float | None
    effective_rate_hz: float | None
    n_gaps: int
    n_lost: int
    gaps: tuple[GapAt, ...]
    n_backward: int
    n_not_finite: int
    n_clock_offsets: int
    n_clock_resets: int
    footer: Literal["agrees", "differs", "missing"]
    sha256: str


class Tally:
    """Counts one stream, chunk by chunk.

    Parameters
    ----------
    number
        The stream's number in the file.
    layout
        What it is.
    """

    def __init__(self, number: int, layout: Layout) -> None:
        self._number = number
        self._layout = layout
        self._stamps = hashlib.sha256()
        self._values = hashlib.sha256()
        self._gaps = GapDetector(layout.rate_hz) if layout.rate_hz > 0 else None
        self._gap_places: deque[GapAt] = deque(maxlen=_MOST_GAPS)
        self._n = self._n_gaps = self._n_lost = self._n_backward = self._n_not_finite = 0
        self._gap_total_s = 0.0
        self._first_s = self._last_s = 0.0
        self._n_offsets = self._n_resets = 0
        self._offset_s = 0.0
        self._footer: Element | None = None

    def add(self, samples: Samples) -> None:
        """Take in a chunk."""
        times = samples.times
        if not len(times):
            return
        self._stamps.update(times.tobytes())
        if samples.values is not None:
            self._values.update(np.ascontiguousarray(samples.values).data)
        for row in samples.texts:
            for text in row:
                content = text.encode("utf-8", "surrogatepass")
                self._values.update(len(content).to_bytes(8, "little") + content)
        before_s = self._last_s if self._n else float(times[0])
        self._n_not_finite += int((~np.isfinite(times)).sum())
        with np.errstate(invalid="ignore"):  # stamps may be anything
            self._n_backward += int((np.diff(times, prepend=before_s) < 0).sum())
            self._find_gaps(times, before_s)
        if not self._n:
            self._first_s = float(times[0])
        self._last_s = float(times[-1])
        self._n += len(times)

    def add_offset(self, time_s: float, offset_s: float) -> None:
        """Take in a measurement of the clock, made at `time_s`."""
        del time_s
        if self._n_offsets and abs(offset_s - self._offset_s) > _RESET_S:
            self._n_resets += 1
        self._offset_s = offset_s
        self._n_offsets += 1

    def end(self, footer: Element) -> None:
        """Take in the footer."""
        self._footer = footer

    def report(self) -> StreamReport:
        """Return what was counted."""
        span_s = self._last_s - self._first_s - self._gap_total_s
        steps = self._n - 1 - self._n_gaps
        layout = self._layout
        return StreamReport(
            number=self._number,
            name=layout.name,
            kind=layout.kind,
            format=layout.format,
            n_channels=layout.n_channels,
            rate_hz=layout.rate_hz,
            n_samples=self._n,
            first_s=self._first_s if self._n else None,
            last_s=self._last_s if self._n else None,
            effective_rate_hz=steps / span_s if steps > 0 and span_s > 0 else None,
            n_gaps=self._n_gaps,
            n_lost=self._n_lost,
            gaps=tuple(self._gap_places),
            n_backward=self._n_backward,
            n_not_finite=self._n_not_finite,
            n_clock_offsets=self._n_offsets,
            n_clock_resets=self._n_resets,
            footer=self._judge_footer(),
            sha256=hashlib.sha256(self._stamps.digest() + self._values.digest()).hexdigest(),
        )

    def _find_gaps(self, times: np.ndarray, before_s: float) -> None:
        if self._gaps is None:
            return
        gap = self._gaps.feed(times)
        if gap is None:
            return
        self._n_gaps += len(gap.indices)
        self._n_lost += gap.n_lost
        for i in gap.indices:
            from_s = float(times[i - 1]) if i else before_s
            self._gap_total_s += float(times[i]) - from_s
            if len(self._gap_places) < _MOST_GAPS:
                self._gap_places.append(GapAt(from_s, float(times[i])))

    def _judge_footer(self) -> Literal["agrees", "differs", "missing"]:
        if self._footer is None:
            return "missing"
        stated = self._footer.findtext("sample_count")
        return "agrees" if stated is None or stated.strip() == str(self._n) else "differs"
