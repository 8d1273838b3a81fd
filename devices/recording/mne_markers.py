"""Markers and breaks in what MNE read: annotations first, else the values of a stimulus channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mne.io import BaseRaw

__all__ = ["annotated_events", "break_samples", "stim_events"]

#: Descriptions (lower case) that say "samples before this are missing", not "something happened".
_BREAKS = ("boundary", "bad boundary", "edge boundary", "bad_acq_skip", "new segment/")

#: Names of the channel that holds all trigger bits, where there are several.
_STIM_NAMES = ("STI101", "STI 014", "Status")

_SCAN_SAMPLES = 2**16


def annotated_events(raw: BaseRaw) -> list[tuple[int, str]]:
    """Return the annotations but for breaks, as (sample, label), in the order of their onsets.

    The sample is the nearest one: annotations are made on samples, and formats keep their onsets
    in seconds, rounded (FIF: float32).
    """
    samples = _onset_samples(raw)
    labels = [str(text) for text in raw.annotations.description]
    return [(k, s) for k, s in zip(samples, labels, strict=True) if s and not _is_break(s)]


def break_samples(raw: BaseRaw) -> NDArray[np.int64]:
    """Return the samples before which others are missing, as annotations say; ascending."""
    breaks: set[int] = set()
    rate_hz = raw.info["sfreq"]
    for sample, text, duration_s in zip(
        _onset_samples(raw), raw.annotations.description, raw.annotations.duration, strict=True
    ):
        if _is_break(str(text)):
            breaks |= {sample, sample + round(float(duration_s) * rate_hz)}
    return np.array(sorted(k for k in breaks if 0 < k < raw.n_times), np.int64)


def stim_events(raw: BaseRaw) -> tuple[str, list[tuple[int, str]]]:
    """Return the stimulus channel's name and its rises, as (sample, value).

    The rule of `mne.find_events`: wherever the value grows; the value that the recording starts
    with is no event. Read in pieces.
    """
    names = [
        name
        for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True)
        if kind == "stim"
    ]
    if not names:
        return "", []
    name = next((wanted for wanted in _STIM_NAMES if wanted in names), names[0])
    pick = raw.ch_names.index(name)
    events: list[tuple[int, str]] = []
    last = np.empty(0, np.int64)
    for first in range(0, raw.n_times, _SCAN_SAMPLES):
        values = np.rint(raw[pick, first : first + _SCAN_SAMPLES][0][0]).astype(np.int64)
        joined = np.concatenate([last, values])
        rises = np.flatnonzero(joined[1:] > joined[:-1]) + 1
        events += [(first - len(last) + k, str(joined[k])) for k in rises.tolist()]
        last = values[-1:]
    return name, events


def _onset_samples(raw: BaseRaw) -> list[int]:
    notes = raw.annotations
    samples: list[int] = raw.time_as_index(
        notes.onset, use_rounding=True, origin=notes.orig_time
    ).tolist()
    return samples


def _is_break(text: str) -> bool:
    return text.lower() in _BREAKS
