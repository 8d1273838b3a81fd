"""NWB: samples, spike counts, behaviour, markers and what was decoded, in one file.

Samples keep their type and their numbers; a factor says how they become volts. Times are stored
one a sample, exactly, but where they are evenly spaced to 1 ns. They count from the first sample.

Source: https://nwb-schema.readthedocs.io (NWB 2.x)
"""

from __future__ import annotations

import uuid
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bci_server.export.nwb_outputs import add_events, add_outputs, module_of, when_of
from bci_server.export.report import Report
from bci_server.export.source import Series, Source

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = ["write"]

_ELECTRIC = ("eeg", "ecog", "seeg", "dbs", "ieeg", "emg", "eog", "ecg", "exg", "lfp")
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


def write(source: Source, target: Path, report: Report) -> None:
    """Write the file."""
    from pynwb import NWBHDF5IO

    file = _file(source, report)
    if source.about.device or source.about.manufacturer or _is_electric(source.main):
        _add_device(file, source)
    for series in source.series:
        _add_series(file, series, source, report)
    for name, markers in source.markers.items():
        times = np.array([marker.time_s for marker in markers]) - source.start_s
        labels = [marker.label for marker in markers]
        add_events(file, _free(file, name), "markers of the recording", labels, times)
    add_outputs(file, source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # HDMF's, of its own namespaces
        with NWBHDF5IO(target, "x") as io:
            io.write(file)
    report.exact += ["samples, to the bit, in all streams", "markers", "times, to 1 ns"]
    if source.outputs:
        report.exact.append("predictions, commands and tokens")
    report.changed.append(f"times count from the first sample, {source.start_s!r} s of its clock")


def _file(source: Source, report: Report) -> NWBFile:
    from pynwb import NWBFile
    from pynwb.file import Subject

    about = source.about
    if about.started_at is None:
        report.changed.append("NWB demands a date: 2000-01-01 stands for one that is not known")
    age = "P0D/"  # at least none: nobody said
    if about.birthday is not None and about.started_at is not None:
        age = f"P{(about.started_at.date() - about.birthday).days}D"
    if not about.species:
        report.left_out.append("species: the recording does not say it (--species does)")
    return NWBFile(
        session_description=f"Recording of {', '.join(s.name for s in source.series)}"
        + (f" during the task {about.task}." if about.task else "."),
        identifier=str(uuid.uuid4()),
        file_create_date=None if about.started_at else _NO_DATE,
        session_start_time=about.started_at or _NO_DATE,
        session_id="_".join(filter(None, (about.session, about.task, about.run))) or None,
        notes=about.notes or None,
        source_script=None,
        data_collection=_collection(source) or None,
        subject=Subject(
            subject_id=about.participant or "unknown",
            sex=about.sex or "U",
            age=age,
            species=about.species or None,
            description=f"Handedness: {about.hand or 'unknown'}",
        ),
    )


def _collection(source: Source) -> str:
    about = source.about
    facts = {
        "decoder": about.decoder,
        "sha256 of the model": about.model,
        "consent": about.consent,
        "session file": about.session_file,
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items() if value)


def _add_device(file: NWBFile, source: Source) -> None:
    about = source.about
    name = (about.device or about.manufacturer or "amplifier").replace("/", "_").replace(":", "_")
    model = None
    if about.manufacturer:
        model = file.create_device_model(name=f"model of {name}", manufacturer=about.manufacturer)
    file.create_device(
        name=name,
        description=f"sent by {about.host}" if about.host else "the amplifier",
        serial_number=about.serial or None,
        model=model,
    )
    (device,) = file.devices.values()
    file.create_electrode_group(
        name="electrodes", description="all of them", location="unknown", device=device
    )
    file.add_electrode_column("channel_name", "name of the channel")
    if about.reference:
        file.add_electrode_column("reference", "what potentials were measured against")


def _add_series(file: NWBFile, series: Series, source: Source, report: Report) -> None:
    name = _free(file, series.name)
    rates_hz = () if len(series.breaks) else (series.rate_hz,)
    when = when_of(series.times - source.start_s, *rates_hz)
    reference = source.about.reference
    if _is_electric(series):
        file.add_acquisition(_electrical(file, name, series, when, reference))
    elif series.unit == "count" or series.kind == "spikes":
        _add_counts(file, name, series, when, report)
    else:
        _add_behavior(file, name, series, when)


def _is_electric(series: Series) -> bool:
    return series.unit == "uV" or series.kind in _ELECTRIC


def _electrical(
    file: NWBFile, name: str, series: Series, when: dict[str, Any], reference: str
) -> Any:
    from pynwb.ecephys import ElectricalSeries

    first = len(file.electrodes or ())
    more = {"reference": reference} if reference else {}
    (group,) = file.electrode_groups.values()
    for channel in series.channels:
        file.add_electrode(location="unknown", group=group, channel_name=channel, **more)
    region = file.create_electrode_table_region(
        list(range(first, first + len(series.channels))), f"channels of {series.name}"
    )
    volts = series.scale * (1e-6 if series.unit == "uV" else 1.0)
    is_same = bool((volts == volts[0]).all())
    return ElectricalSeries(
        name=name,
        data=_data(series),
        electrodes=region,
        conversion=float(volts[0]) if is_same else 1.0,
        channel_conversion=None if is_same else volts,
        description=f"{series.kind}; {series.rate_hz:g} Hz nominal",
        **when,
    )


def _add_counts(
    file: NWBFile, name: str, series: Series, when: dict[str, Any], report: Report
) -> None:
    from hdmf.common import DynamicTable, VectorData
    from pynwb import TimeSeries

    module = module_of(file, "ecephys", "Spikes, counted in bins.")
    module.add(
        TimeSeries(
            name=name,
            data=_data(series),
            unit="count",
            description="Spikes of each unit in each bin. Columns: " + ", ".join(series.channels),
            **when,
        )
    )
    # NWB's own table of units is for spike times, which counts do not tell.
    names = VectorData(
        name="unit_name", description="the column's unit, in order", data=list(series.channels)
    )
    module.add(
        DynamicTable(name=f"{name}_columns", description=f"Columns of {name}", columns=[names])
    )
    report.left_out.append("NWB's table of units: it is of spike times, and these are counts")


def _add_behavior(file: NWBFile, name: str, series: Series, when: dict[str, Any]) -> None:
    from pynwb import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

    module = module_of(file, "behavior", "What was done or meant.")
    about = f"{series.kind}. Columns: {', '.join(series.channels)}"
    factors = series.scale
    is_same = bool((factors == factors[0]).all())
    data = _data(series) if is_same else series.in_unit()
    conversion = float(factors[0]) if is_same else 1.0
    if series.unit in ("m", "cm", "mm") and len(series.channels) <= 3:
        if "Position" not in module.data_interfaces:
            module.add(Position(name="Position"))
        meters = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}[series.unit]
        module["Position"].add_spatial_series(
            SpatialSeries(
                name=name,
                data=data,
                unit="meters",
                conversion=conversion * meters,
                reference_frame="as recorded",
                description=about,
                **when,
            )
        )
        return
    if "BehavioralTimeSeries" not in module.data_interfaces:
        module.add(BehavioralTimeSeries(name="BehavioralTimeSeries"))
    module["BehavioralTimeSeries"].add_timeseries(
        TimeSeries(
            name=name,
            data=data,
            unit=series.unit,
            conversion=conversion,
            description=about,
            **when,
        )
    )


def _data(series: Series) -> NDArray[np.generic]:
    return np.ascontiguousarray(series.values)


def _free(file: NWBFile, name: str) -> str:
    """Return a name for an object that no other has; NWB allows neither / nor : in it."""
    clean = name.replace("/", "_").replace(":", "_") or "unnamed"
    taken = {child.name for module in file.processing.values() for child in module.all_children()}
    free, n = clean, 2
    while free in file.acquisition or free in file.events or free in taken:
        free, n = f"{clean} {n}", n + 1
    return free
