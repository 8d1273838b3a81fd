"""A recording seen from afar: what every channel did in each of some thousand moments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.recording.checksums import read_checksums
from devices.recording.pieces import map_file, pieces_of
from devices.recording.verify import Report, decoded
from devices.recording.xdf_chunks import Layout, Samples
from devices.signal import Marker

__all__ = ["QUALITIES", "Overview", "Traces", "overview"]

QUALITIES = ("nothing", "good", "flat", "not finite", "far too large")
"""What a channel can be in a moment; `Traces.quality` holds indices into this."""

_LEAST_SAMPLES = 8
"""Fewer in a moment would not tell what is flat or too large."""
_LARGE = 10.0
"""A range this many times the channel's median range is far too large."""


@dataclass(frozen=True, slots=True)
class Traces:
    """One numeric stream.

    Parameters
    ----------
    number, name, labels
        The stream, and its channels that are shown.
    low, high
        (n_moments, n_channels) float64: the smallest and the largest value; NaN where nothing is.
    quality
        (n_moments, n_channels) int8, indices into `QUALITIES`.
    """

    number: int
    name: str
    labels: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Overview:
    """All of a recording.

    Parameters
    ----------
    start_s, end_s
        The first and the last stamp of all streams that are shown.
    traces
        Its streams of numbers with a rate.
    markers
        What was marked, by the name of the stream of texts.
    """

    start_s: float
    end_s: float
    traces: tuple[Traces, ...]
    markers: dict[str, tuple[Marker, ...]]


def overview(
    report: Report, n_moments: int = 1000, n_channels: int = 16, n_markers: int = 2000
) -> Overview | None:
    """Look through the recording of `report` once more; None if it has no samples.

    Parameters
    ----------
    report
        What `devices.recording.verify.verify` said of it.
    n_moments
        How finely time is divided, at most: every moment has some samples of every stream.
    n_channels, n_markers
        How many of each are looked at, at most, in each stream.
    """
    shown = [s for s in report.streams if s.rate_hz > 0 and s.format != "string" and s.n_samples]
    if not shown:
        return None
    start_s = min(s.first_s for s in shown if s.first_s is not None)
    end_s = max(s.last_s for s in shown if s.last_s is not None)
    span_s = max(end_s - start_s, 1e-9)
    n_moments = max(1, min(n_moments, *(s.n_samples // _LEAST_SAMPLES for s in shown)))
    envelopes: dict[int, _Envelope] = {}
    markers: dict[str, list[Marker]] = {}
    path = Path(report.path)
    data = map_file(path)
    for found in decoded(data, pieces_of(data, read_checksums(path))):
        if found.samples is None or found.layout is None:
            continue
        stream = found.piece.stream
        if found.samples.values is None:
            if found.layout.n_channels == 1 and found.layout.kind == "Markers":
                _mark(found.samples, markers.setdefault(found.layout.name, []), n_markers)
        elif stream in {s.number for s in shown}:
            if stream not in envelopes:
                envelopes[stream] = _Envelope(stream, found.layout, n_moments, n_channels)
            at = (found.samples.times - start_s) / span_s * n_moments
            envelopes[stream].add(at, found.samples.values)
    return Overview(
        start_s,
        end_s,
        tuple(e.traces() for e in envelopes.values()),
        {name: tuple(found_) for name, found_ in markers.items()},
    )


def _mark(samples: Samples, into: list[Marker], most: int) -> None:
    for time_s, row in zip(samples.times.tolist(), samples.texts, strict=True):
        if len(into) < most and row[0]:
            into.append(Marker(time_s, row[0]))


class _Envelope:
    def __init__(self, number: int, layout: Layout, n_moments: int, n_channels: int) -> None:
        self._number, self._layout = number, layout
        shape = (n_moments, min(n_channels, layout.n_channels))
        self._low = np.full(shape, np.inf)
        self._high = np.full(shape, -np.inf)
        self._not_finite = np.zeros(shape, bool)
        self._counts = np.zeros(n_moments, np.int64)

    def add(self, at: NDArray[np.float64], values: NDArray[np.generic]) -> None:
        moments = np.nan_to_num(at, nan=0.0).clip(0, len(self._low) - 1).astype(np.intp)
        shown = values[:, : self._low.shape[1]].astype(np.float64)
        starts = np.flatnonzero(np.diff(moments, prepend=-1))
        to = moments[starts]
        finite = np.isfinite(shown)
        np.logical_or.at(self._not_finite, to, np.logical_or.reduceat(~finite, starts, axis=0))
        low, high = np.where(finite, shown, np.inf), np.where(finite, shown, -np.inf)
        np.minimum.at(self._low, to, np.minimum.reduceat(low, starts, axis=0))
        np.maximum.at(self._high, to, np.maximum.reduceat(high, starts, axis=0))
        np.add.at(self._counts, moments, 1)

    def traces(self) -> Traces:
        is_there = np.isfinite(self._low)
        low = np.where(is_there, self._low, np.nan)
        high = np.where(is_there, self._high, np.nan)
        spread = high - low
        quality = np.where(is_there, 1, 0).astype(np.int8)
        quality[is_there & (spread == 0) & (self._counts[:, None] > 2)] = 2
        if is_there.any(axis=0).all():
            quality[is_there & (spread > _LARGE * np.nanmedian(spread, axis=0))] = 4
        quality[self._not_finite] = 3
        labels = tuple(
            label or str(i + 1) for i, label in enumerate(self._layout.labels[: low.shape[1]])
        )
        return Traces(self._number, self._layout.name, labels, low, high, quality)
