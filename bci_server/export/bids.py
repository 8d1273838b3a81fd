"""BIDS: EEG and intracranial EEG, one dataset of all recordings; written with MNE-BIDS.

Samples go into EDF or BDF where they are integers that fit, which is exact, and else into
BrainVision as float32 in µV, which is exact for float32.

Sources: Pernet et al. 2019, Sci Data 6:103 (EEG-BIDS); Holdgraf et al. 2019, Sci Data 6:102
(iEEG-BIDS); Appelhoff et al. 2019, JOSS 4:1896 (MNE-BIDS).
"""

from __future__ import annotations

import csv
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bci_server.export import edf
from bci_server.export.grid import Grid, Mark, tell_other_streams
from bci_server.export.mne_raw import annotations_of, describe_info, mne_kind, raw_of
from bci_server.export.report import CannotHold, Report
from bci_server.export.source import Source
from bci_server.web.live import server_name

if TYPE_CHECKING:
    from mne_bids import BIDSPath

__all__ = ["write"]

_DATATYPES = {"eeg": "eeg", "ecog": "ieeg", "seeg": "ieeg", "dbs": "ieeg"}
_UNKNOWN = {"participant": "01", "task": "unknown"}


def write(source: Source, target: Path, report: Report) -> None:
    """Add a recording to the dataset in the folder `target`.

    Raises
    ------
    CannotHold
        It is neither EEG nor intracranial EEG, or mostly holes.
    """
    kind = mne_kind(source.main)
    if kind == "eeg" and source.stem.endswith("_ieeg"):
        kind = "ecog"  # the file's format has no word for it, but its name says so
    if kind not in _DATATYPES:
        raise CannotHold(
            f"{source.path}: the stream {source.main.name!r} ({source.main.kind}) is neither EEG "
            "nor intracranial EEG, which is what goes to BIDS; nwb holds it"
        )
    target.mkdir(exist_ok=True)
    work = target.parent / f"work-{len(list(target.parent.iterdir()))}"
    work.mkdir()
    marks = Grid(source.main, Report(report.source, report.target, "bids")).marks(
        source, Report("", "", "")
    )
    raw_file = _write_samples(source, work, marks, report)
    place = _place(source, target, _DATATYPES[kind], report)
    _add(source, raw_file, place, kind, marks)
    _complete(source, place, marks)


def _write_samples(source: Source, work: Path, marks: list[Mark], report: Report) -> Path:
    """Write the samples alone, in the first format of BIDS that holds them exactly."""
    for name, limits in (("edf", edf.EDF_LIMITS), ("bdf", edf.BDF_LIMITS)):
        if edf.is_exact_in(source, limits):
            file = work / f"samples.{name}"
            inner = replace(report, format=name)  # its lists are the report's own
            edf.write(source, file, inner)
            return file
    return _write_brainvision(source, work, report)


def _write_brainvision(source: Source, work: Path, report: Report) -> Path:
    from pybv import write_brainvision

    grid = Grid(source.main, report)
    raw = raw_of(source, grid, grid.marks(source, report))
    write_brainvision(
        data=raw.get_data(),
        sfreq=source.main.rate_hz,
        ch_names=list(source.main.channels),
        fname_base="samples",
        folder_out=work,
        resolution=1.0,
        unit="µV",
        fmt="binary_float32",
    )
    if source.main.values.dtype.itemsize <= 4:
        report.exact.append("samples, as float32 in µV")
    else:
        report.changed.append("samples are rounded to float32 (24 significant bits)")
    tell_other_streams(source, report)
    return work / "samples.vhdr"


def _place(source: Source, root: Path, datatype: str, report: Report) -> BIDSPath:
    from mne_bids import BIDSPath

    about = source.about
    labels: dict[str, Any] = {}
    for entity, field in (("subject", "participant"), ("session", "session"), ("task", "task")):
        said = getattr(about, field)
        label = re.sub("[^0-9A-Za-z]", "", said) or _UNKNOWN.get(field, "")
        if label != said:
            report.changed.append(f"the {field} is called {label!r} in BIDS, not {said!r}")
        labels[entity] = label or None
    run = int(about.run) if about.run.isdigit() and int(about.run) else 1
    while True:
        place = BIDSPath(
            **labels, run=f"{run:02d}", datatype=datatype, suffix=datatype, root=root, check=True
        )
        if not any(place.directory.glob(f"{place.basename}.*")):
            return place
        run += 1


def _add(source: Source, file: Path, place: BIDSPath, kind: str, marks: list[Mark]) -> None:
    import mne
    from mne_bids import make_dataset_description, write_raw_bids

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fields that nobody knows: they become n/a
        raw = mne.io.read_raw(file, preload=False, verbose="ERROR")
        raw.set_channel_types(dict.fromkeys(raw.ch_names, kind), verbose="ERROR")
        describe_info(raw, source)
        raw.set_annotations(annotations_of(marks), emit_warning=False)
        write_raw_bids(raw, place, overwrite=False, verbose="ERROR")
        make_dataset_description(
            path=place.root,
            name=place.root.name,
            generated_by=[{"Name": "bci-server", "Version": server_name().partition("/")[2]}],
            overwrite=True,
            verbose="ERROR",
        )


def _complete(source: Source, place: BIDSPath, marks: list[Mark]) -> None:
    """Write what MNE-BIDS does not know, and onsets as exactly as they are known."""
    from mne_bids import update_sidecar_json

    about = source.about
    known = {
        "Manufacturer": about.manufacturer,
        "ManufacturersModelName": about.device,
        "DeviceSerialNumber": about.serial,
        "EEGReference" if place.datatype == "eeg" else "iEEGReference": about.reference,
    }
    sidecar = place.copy().update(extension=".json")
    update_sidecar_json(
        sidecar, {key: text for key, text in known.items() if text}, verbose="ERROR"
    )
    if not marks:
        return
    events = place.copy().update(suffix="events", extension=".tsv").fpath
    rate_hz = source.main.rate_hz
    with events.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file, delimiter="\t"))
    numbers = {text: n for n, text in enumerate(sorted({text for _, _, text in marks}), 1)}
    with events.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, header, delimiter="\t", lineterminator="\n")
        out.writeheader()
        for onset_s, duration_s, text in marks:
            row = {
                "onset": repr(float(onset_s)),
                "duration": repr(float(duration_s)),
                "trial_type": " ".join(text.split()),
                "value": numbers[text],
                "sample": round(onset_s * rate_hz),
            }
            out.writerow({name: row.get(name, "n/a") for name in header})
