"""A recording as MNE's ``Raw``: voltages in V, holes and markers as annotations."""

from __future__ import annotations

import warnings
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from bci_server.export.grid import Grid, Mark
from bci_server.export.source import Series, Source

if TYPE_CHECKING:
    from mne import Annotations
    from mne.io import BaseRaw

__all__ = ["annotations_of", "describe_info", "mne_kind", "raw_of"]

_KINDS = ("eeg", "ecog", "seeg", "dbs", "emg", "eog", "ecg", "bio")
_SEXES = {"M": 1, "F": 2}
_HANDS = {"R": 1, "L": 2, "A": 3}


def raw_of(source: Source, grid: Grid, marks: list[Mark]) -> BaseRaw:
    """Return the main stream."""
    import mne

    series = source.main
    values = series.in_unit()
    if series.unit == "uV":
        in_volts = bool((series.scale == 1e6).all())
        values = np.asarray(series.values, np.float64) if in_volts else values * 1e-6
    info = mne.create_info(list(series.channels), series.rate_hz, mne_kind(series), verbose="ERROR")
    raw = mne.io.RawArray(grid.fill(values).T, info, copy=None, verbose="ERROR")
    raw.set_annotations(annotations_of(marks), emit_warning=False)
    describe_info(raw, source)
    return raw


def mne_kind(series: Series) -> str:
    """Return the kind of channel that MNE knows."""
    if series.unit != "uV":
        return "misc"
    return series.kind if series.kind in _KINDS else "eeg" if series.kind == "exg" else "misc"


def annotations_of(marks: list[Mark]) -> Annotations:
    """Return holes and markers, counted from the first sample."""
    import mne

    onsets, durations, texts = zip(*marks, strict=True) if marks else ((), (), ())
    return mne.Annotations(list(onsets), list(durations), list(texts))


def describe_info(raw: BaseRaw, source: Source) -> None:
    """Put what is known of the recording into the header."""
    about = source.about
    started = about.started_at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that annotations keep counting from the first sample
        raw.set_meas_date(started.astimezone(UTC) if started else None)
    subject: dict[str, Any] = {"his_id": about.participant} if about.participant else {}
    if about.name:
        subject["last_name"] = about.name
    if about.birthday:
        subject["birthday"] = about.birthday
    subject["sex"] = _SEXES.get(about.sex, 0)
    if about.hand in _HANDS:
        subject["hand"] = _HANDS[about.hand]
    raw.info["subject_info"] = subject
    device = {"type": about.manufacturer, "model": about.device, "serial": about.serial}
    raw.info["device_info"] = {key: text for key, text in device.items() if text} or None
    raw.info["description"] = about.notes or None
