"""A picture of a recording: traces, markers, gaps, and each channel's quality over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from devices.recording.overview import QUALITIES, Overview, Traces
from devices.recording.verify import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_COLOURS = ("#ffffff", "#d5e8d4", "#7f7f7f", "#8e44ad", "#e67e22")
_GAP = "#c0392b"
_MARKERS = ("#2c7fb8", "#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e")
_MOST_NAMED = 12


def draw(report: Report, seen: Overview, target: Path) -> None:
    """Draw a recording into a PNG file. Needs matplotlib.

    Parameters
    ----------
    report, seen
        What `verify` and `overview` said of it.
    target
        The file; one that is there already is replaced.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [x for t in seen.traces for x in (1 + 0.3 * len(t.labels), 0.4 + 0.1 * len(t.labels))]
    figure = Figure(figsize=(14, 1.4 + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    for i, traces in enumerate(seen.traces):
        _draw_traces(axes[2 * i], traces, seen)
        _draw_markers(axes[2 * i], seen)
        _draw_gaps(axes[2 * i], report, traces.number, seen)
        _draw_quality(axes[2 * i + 1], traces, seen)
    axes[0].set_title(f"{Path(report.path).name}: {report.verdict}", loc="left")
    axes[-1].set_xlabel(f"seconds from {seen.start_s:.3f} s on the recording's clock")
    axes[-1].set_xlim(0, max(seen.end_s - seen.start_s, 1e-9))
    figure.savefig(target, format="png", dpi=100)


def _draw_traces(axes: Axes, traces: Traces, seen: Overview) -> None:
    n_moments, n_channels = traces.low.shape
    times = (np.arange(n_moments) + 0.5) / n_moments * (seen.end_s - seen.start_s)
    scale = _scale(traces)
    for channel in range(n_channels):
        low, high = traces.low[:, channel], traces.high[:, channel]
        middle = np.nanmedian((low + high) / 2) if np.isfinite(low).any() else 0.0
        axes.fill_between(
            times,
            np.clip((low - middle) / scale, -1, 1) - channel,
            np.clip((high - middle) / scale, -1, 1) - channel,
            color="#34495e",
            linewidth=0.4,
        )
    axes.set_yticks([-float(c) for c in range(n_channels)], traces.labels, fontsize=7)
    axes.set_ylim(-n_channels + 0.2, 0.8)
    axes.set_ylabel(f"{traces.name}\n(full height: {scale:.3g})", fontsize=8)


def _scale(traces: Traces) -> float:
    """Return the height that nearly all of every channel fits into."""
    seen = np.isfinite(traces.low).any(axis=0)
    low, high = traces.low[:, seen], traces.high[:, seen]
    if not low.size:
        return 1.0
    middle = np.nanmedian((low + high) / 2, axis=0)
    reach = np.fmax(np.abs(high - middle), np.abs(low - middle))
    return 2 * float(np.nanpercentile(reach, 97)) or 1.0


def _draw_markers(axes: Axes, seen: Overview) -> None:
    from matplotlib.lines import Line2D

    labels: dict[str, str] = {}
    for markers in seen.markers.values():
        for marker in markers:
            colour = labels.setdefault(marker.label, _MARKERS[len(labels) % len(_MARKERS)])
            axes.axvline(marker.time_s - seen.start_s, color=colour, linewidth=0.7)
    if labels:
        named = list(labels)[:_MOST_NAMED]
        axes.legend(
            [Line2D([], [], color=labels[n], linewidth=2) for n in named],
            [n[:24] for n in named],
            loc="lower right",
            bbox_to_anchor=(1, 1),
            fontsize=7,
            ncols=len(named),
        )


def _draw_gaps(axes: Axes, report: Report, number: int, seen: Overview) -> None:
    (stream,) = (s for s in report.streams if s.number == number)
    for gap in stream.gaps:
        start_s, stop_s = sorted((gap.from_s - seen.start_s, gap.to_s - seen.start_s))
        axes.axvspan(start_s, stop_s, color=_GAP, alpha=0.25, linewidth=0)
        axes.axvline(start_s, color=_GAP, linewidth=0.8)


def _draw_quality(axes: Axes, traces: Traces, seen: Overview) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    n_channels = traces.quality.shape[1]
    axes.imshow(
        traces.quality.T,
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap(_COLOURS),
        vmin=-0.5,
        vmax=len(QUALITIES) - 0.5,
        extent=(0, seen.end_s - seen.start_s, n_channels - 0.5, -0.5),
    )
    axes.set_yticks(())
    axes.set_ylabel("quality", fontsize=8)
    present = sorted({int(q) for q in np.unique(traces.quality)} - {0})
    axes.legend(
        handles=[
            Patch(facecolor=_COLOURS[q], edgecolor="#555555", label=QUALITIES[q]) for q in present
        ],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        fontsize=7,
        ncols=len(present) or 1,
    )
