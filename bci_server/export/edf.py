"""EDF+ and BDF+: one stream, as integers of 16 or 24 bits, with markers as annotations.

Integers stay what they are, if they fit; other numbers are rounded, and the report says by how
much. Gaps are filled and annotated (``BAD_ACQ_SKIP``) rather than written as EDF+D, whose gaps most
readers ignore.

Sources: Kemp et al. 1992, Electroenceph. clin. Neurophysiol. 82:391 (EDF); Kemp & Olivan 2003,
Clin. Neurophysiol. 114:1755 (EDF+); https://www.biosemi.com/faq/file_format.htm (BDF).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bci_server.export.digital import Digital, digitize, source_scales
from bci_server.export.grid import SKIP, Grid, Mark, tell_other_streams, unique_names
from bci_server.export.report import CannotHold, Report
from bci_server.export.source import Series, Source
from devices.recording.formats import ending_of

if TYPE_CHECKING:
    from edfio import EdfAnnotation

__all__ = ["BDF_LIMITS", "EDF_LIMITS", "is_exact_in", "write"]

EDF_LIMITS = (-32768, 32767)
BDF_LIMITS = (-8388608, 8388607)
_YEARS = range(1985, 2085)
_LABEL = 16
_UNIT = 8


@dataclass(frozen=True, slots=True)
class _Records:
    """How a recording is cut: samples and seconds of a record, and what is added to fill the last.

    Parameters
    ----------
    n_samples
        Of a record and channel.
    duration_s
        As the header can say it.
    n_added
        Samples behind the last one.
    """

    n_samples: int
    duration_s: float
    n_added: int

    @property
    def rate_hz(self) -> float:
        return self.n_samples / self.duration_s


def write(source: Source, target: Path, report: Report) -> None:
    """Write an EDF+ or a BDF+ file, as the report's format says.

    Raises
    ------
    CannotHold
        The rate or the numbers cannot be said in the header, or the gaps are too long.
    """
    import edfio

    is_edf = report.format != "bdf"
    file_class = edfio.Edf if is_edf else edfio.Bdf
    signal_class = edfio.EdfSignal if is_edf else edfio.BdfSignal
    series = source.main
    grid = Grid(series, report)
    marks = grid.marks(source, report)
    records = _cut(grid.n_places, series.rate_hz, report)
    if records.n_added:
        at_s = grid.n_places / series.rate_hz
        marks.append((at_s, records.n_added / series.rate_hz, SKIP))
    channels = _digitize(source, EDF_LIMITS if is_edf else BDF_LIMITS)
    _tell(channels, series, 16 if is_edf else 24, report)
    names = unique_names(series.channels, _LABEL, report)
    unit = series.unit.encode("ascii", "ignore").decode()[:_UNIT]
    signals = [
        signal_class.from_digital(
            _padded(grid, channel, records, signal_class._digital_dtype),
            records.rate_hz,
            label=name,
            physical_dimension="" if unit == "1" else unit,
            physical_range=(channel.scale.physical_min, channel.scale.physical_max),
            digital_range=(channel.scale.digital_min, channel.scale.digital_max),
        )
        for name, channel in zip(names, channels, strict=True)
    ]
    tell_other_streams(source, report)
    file_class(
        signals,
        data_record_duration=records.duration_s,
        annotations=[_annotation(mark) for mark in marks],
        **_header(source, report),
    ).write(target)


def is_exact_in(source: Source, limits: tuple[int, int]) -> bool:
    """Whether every sample of the main stream can be an integer of these limits."""
    try:
        return all(channel.is_exact for channel in _digitize(source, limits))
    except CannotHold:
        return False


def _digitize(source: Source, limits: tuple[int, int]) -> list[Digital]:
    series = source.main
    known = source_scales(source.path) if ending_of(source.path) in (".edf", ".bdf") else {}
    return [
        digitize(series.values[:, i], float(series.scale[i]), limits, known.get(channel))
        for i, channel in enumerate(series.channels)
    ]


def _tell(channels: list[Digital], series: Series, n_bits: int, report: Report) -> None:
    rounded = [channel for channel in channels if not channel.is_exact]
    if not rounded:
        report.exact.append(f"samples, as integers of {n_bits} bits")
    else:
        worst = max(channel.worst for channel in rounded)
        report.changed.append(
            f"samples of {len(rounded)} channels are rounded to {n_bits} bits: at most "
            f"{worst:.3g} {series.unit} off"
        )
    if n := sum(channel.n_replaced for channel in channels):
        report.changed.append(f"{n} values that are no numbers became 0")


def _padded(grid: Grid, channel: Digital, records: _Records, dtype: Any) -> Any:
    scale = channel.scale
    zero = min(max(0, scale.digital_min), scale.digital_max)
    filled = grid.fill(channel.values, zero)
    whole = np.full(len(filled) + records.n_added, zero, dtype)
    whole[: len(filled)] = filled
    return whole


def _cut(n: int, rate_hz: float, report: Report) -> _Records:
    """Choose the length of a record: near a second, exact in the header, with little to add."""
    best: tuple[int, float, _Records] | None = None
    for n_samples in range(max(int(rate_hz / 10), 1), int(2 * rate_hz) + 2):
        duration_s = n_samples / rate_hz
        if len(f"{duration_s:.15g}") > 8 or float(f"{duration_s:.15g}") != duration_s:
            continue
        added = -n % n_samples
        records = _Records(n_samples, duration_s, added)
        if not _divides(n + added, records):
            continue
        rank = (added, abs(duration_s - 1), records)
        best = rank if best is None or rank[:2] < best[:2] else best
    if best is None:
        best = _nearly(n, rate_hz, report)
    if best[2].n_added:
        report.changed.append(
            f"{best[2].n_added} samples of 0 fill the last record, and are marked {SKIP}"
        )
    return best[2]


def _nearly(n: int, rate_hz: float, report: Report) -> tuple[int, float, _Records]:
    """Return records of whole seconds, whose rate comes as near as it goes."""
    for seconds in sorted(range(1, 61), key=lambda s: abs(round(rate_hz * s) / s - rate_hz)):
        n_samples = round(rate_hz * seconds)
        if n_samples:
            records = _Records(n_samples, seconds, -n % n_samples)
            if _divides(n + records.n_added, records):
                report.changed.append(f"the rate is {records.rate_hz!r} instead of {rate_hz!r} Hz")
                return records.n_added, 0.0, records
    raise CannotHold(f"a rate of {rate_hz!r} Hz cannot be said in EDF; nwb holds it")


def _divides(n: int, records: _Records) -> bool:
    """Whether the length comes out as a whole number of records, as the writer reckons."""
    length_s = n / records.rate_hz
    n_records = length_s / records.duration_s
    exact = Decimal(str(length_s)) / Decimal(str(records.duration_s))
    return n_records == int(n_records) or exact == int(exact)


def _annotation(mark: Mark) -> EdfAnnotation:
    from edfio import EdfAnnotation

    onset_s, duration_s, text = mark
    clean = "".join(c if c.isprintable() else " " for c in text)
    return EdfAnnotation(onset_s, duration_s or None, clean)


def _header(source: Source, report: Report) -> dict[str, Any]:
    from edfio import Patient, Recording

    about = source.about
    started = about.started_at
    if started is not None and started.year not in _YEARS:
        report.left_out.append(f"the date {started.date()}: EDF knows 1985 to 2084")
        started = None
    if started is not None and started.microsecond:
        report.changed.append("the time of the beginning is cut to whole seconds")
    patient = Patient(
        code=_word(about.participant, 20),
        sex=about.sex if about.sex in ("M", "F") else "X",
        birthdate=about.birthday,
        name=_word(about.name, 30),
    )
    device = " ".join(filter(None, (about.manufacturer, about.device, about.serial)))
    recording = Recording(
        startdate=started.date() if started else None, equipment_code=_word(device, 30)
    )
    header: dict[str, Any] = {"patient": patient, "recording": recording}
    if started is not None:
        header["starttime"] = started.time().replace(microsecond=0, tzinfo=None)
    return header


def _word(text: str, longest: int) -> str:
    """Return one word of ASCII, as a part of EDF+'s header; X for nothing."""
    plain = text.encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() and c != " " else "_" for c in plain)[:longest] or "X"
