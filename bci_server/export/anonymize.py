"""Takes out of a recording what says who somebody is, and says what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bci_server.export.report import Report
from bci_server.export.source import Source
from devices.recording.about import About
from devices.signal import Marker

__all__ = ["anonymize", "list_texts"]

#: What is removed, and what it is called in the report.
_REMOVED: dict[str, str] = {
    "name": "the participant's name",
    "birthday": "date of birth",
    "started_at": "date and time of the recording",
    "serial": "serial number or identity of the device",
    "host": "names of computers",
    "consent": "consent id",
    "notes": "free text in the header",
    "session_file": "the session file",
}
_MOST_LABELS = 50


def anonymize(source: Source, report: Report) -> Source:
    """Return the recording without what identifies.

    Writers put nothing into a file but what a `Source` holds, so what is removed here is nowhere.
    The participant's code, sex, hand, and the model of the device stay.
    """
    nothing = About()
    gone: dict[str, Any] = {}
    for name, what in _REMOVED.items():
        value = getattr(source.about, name)
        if value:
            shown = str(value) if len(str(value)) <= 60 else f"{len(str(value))} characters"
            report.removed.append(f"{what} ({shown})")
            gone[name] = getattr(nothing, name)
    report.removed.append("name of the original file, where a format would keep it")
    report.changed.append("times count from the first sample: a clock can tell a date")
    return _from_zero(replace(source, about=replace(source.about, **gone)))


def _from_zero(source: Source) -> Source:
    start_s = source.start_s

    def moved(markers: Sequence[Marker]) -> list[Marker]:
        return [Marker(marker.time_s - start_s, marker.label) for marker in markers]

    return replace(
        source,
        series=tuple(replace(s, times=s.times - start_s) for s in source.series),
        main=replace(source.main, times=source.main.times - start_s),
        markers={name: moved(markers) for name, markers in source.markers.items()},
        main_markers=moved(source.main_markers),
        outputs=source.outputs.moved(-start_s),
    )


def list_texts(source: Source, report: Report) -> None:
    """Say which texts of people's own are left: only a person can judge them."""
    about = source.about
    if about.participant:
        report.look_through.append(f"participant's code: {about.participant}")
    if about.task or about.session:
        report.look_through.append(f"task and session: {about.task} {about.session}".rstrip())
    names = {name for series in source.series for name in (series.name, *series.channels)}
    report.look_through.append(f"names of streams and channels: {_few(names)}")
    labels = {marker.label for markers in source.markers.values() for marker in markers}
    if labels:
        report.look_through.append(f"labels of markers: {_few(labels)}")
    if tokens := source.outputs.tokens():
        report.look_through.append(f"{len(tokens)} decoded tokens: what somebody said or spelled")


def _few(texts: set[str]) -> str:
    shown = ", ".join(sorted(texts)[:_MOST_LABELS])
    more = len(texts) - _MOST_LABELS
    return f"{shown} and {more} more" if more > 0 else shown
