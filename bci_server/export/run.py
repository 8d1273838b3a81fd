"""Exports recordings: all or nothing, and nothing is ever overwritten."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bci_server.export.anonymize import anonymize, list_texts
from bci_server.export.dataset import extending, is_dataset
from bci_server.export.report import ExportError, MissingExtra, Report
from bci_server.export.source import Source, read_source

__all__ = ["FORMATS", "Format", "export"]

Writer = Callable[[Source, Path, Report], None]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Parameters
    ----------
    module
        What writes it.
    ending
        Of a file; empty: it is a folder.
    needs
        Packages, by their names in Python.
    extra
        The extra of bci-server that brings them.
    is_shared
        Several recordings go into one folder together.
    """

    module: str
    ending: str
    needs: tuple[str, ...] = ()
    extra: str = "export"
    is_shared: bool = False


_HERE = "bci_server.export"
FORMATS: dict[str, Format] = {
    "edf": Format(f"{_HERE}.edf", ".edf", ("edfio",)),
    "bdf": Format(f"{_HERE}.edf", ".bdf", ("edfio",)),
    "fif": Format(f"{_HERE}.fif", ".fif"),
    "bids": Format(f"{_HERE}.bids", "", ("mne_bids", "edfio", "pybv"), is_shared=True),
    "nwb": Format(f"{_HERE}.nwb", ".nwb", ("pynwb",)),
    "csv": Format(f"{_HERE}.csv_tables", ""),
    "parquet": Format(f"{_HERE}.parquet_tables", "", ("pyarrow",)),
    "mcap": Format(f"{_HERE}.mcap_messages", ".mcap", ("mcap",), "mcap"),
}


def export(
    files: Sequence[Path],
    format_: str,
    out: Path,
    *,
    anonymous: bool = False,
    stream: str = "",
    participant: str = "",
    species: str = "",
) -> list[Report]:
    """Write recordings in another format.

    Parameters
    ----------
    files
        The recordings, of any format that can be read.
    format_
        A key of `FORMATS`.
    out
        The new file or folder. With several recordings always a folder, with one file or folder
        for each; BIDS puts all into one dataset, which may be there already.
    anonymous
        Remove what identifies the participant, see `bci_server.export.anonymize`.
    stream
        The stream that formats with a single one hold; default: the one that would be decoded.
    participant, species
        The participant's code and species (in Latin), instead of those in the recording.

    Raises
    ------
    ExportError
        It cannot be done; nothing was written.
    DeviceError
        A recording cannot be read; nothing was written.
    OSError
        The disk did not take it; nothing is left behind.
    """
    chosen = FORMATS[format_]
    _check_installed(format_, chosen)
    if not files:
        raise ExportError("name at least one recording")
    is_added = chosen.is_shared and is_dataset(out)
    if os.path.lexists(out) and not is_added:
        raise ExportError(f"{out} is there already, and nothing is overwritten; name another")
    write: Writer = import_module(chosen.module).write
    is_single = len(files) == 1 and not chosen.is_shared
    if is_single and out.suffix.lower() != chosen.ending and chosen.ending:
        raise ExportError(f"{out} must end with {chosen.ending}, by which readers know the format")
    names = _names(files, chosen)
    reports = []
    with _all_or_nothing(out, is_added) as place:
        if not (is_single or is_added):
            place.mkdir()
        for file, name in zip(files, names, strict=True):
            inner = Path() if is_single or chosen.is_shared else Path(name)
            report = Report(str(file), str(out / inner), format_)
            source = read_source(file, stream)
            report.changed.extend(f"the reader says: {note}" for note in source.notes)
            told = replace(
                source.about,
                participant=participant or source.about.participant,
                species=species or source.about.species,
            )
            source = replace(source, about=told)
            source = anonymize(source, report) if anonymous else source
            write(source, place / inner, report)
            if anonymous:
                list_texts(source, report)
            reports.append(report)
    return reports


def _check_installed(name: str, chosen: Format) -> None:
    if missing := [package for package in chosen.needs if find_spec(package) is None]:
        raise MissingExtra(
            f"exporting to {name} needs {', '.join(missing)}, which is not installed; install it "
            f"with pip install 'bci-server[{chosen.extra}]'"
        )


def _names(files: Sequence[Path], chosen: Format) -> list[str]:
    """Return what each recording's file is called, where there are several."""
    names = [f"{file.name.split('.')[0]}{chosen.ending}" for file in files]
    if not chosen.is_shared and len(files) > 1 and len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ExportError(f"several recordings would become {twice[0]}; export them one by one")
    return names


@contextmanager
def _all_or_nothing(out: Path, is_added: bool) -> Iterator[Path]:
    """Yield where to write; it becomes `out`, or a part of it, when all went well; else it is gone.

    It is beside `out`, on the same disk, so that its files change their place in one step.
    """
    if not out.parent.is_dir():
        raise ExportError(f"there is no folder {out.parent} to write {out.name} into")
    room = out.parent / f".{out.name}.{secrets.token_hex(4)}"
    room.mkdir()
    try:
        place = room / out.name
        if is_added:
            with extending(out, place):
                yield place
        else:
            yield place
            _publish(place, out)
    finally:
        shutil.rmtree(room)


def _publish(place: Path, out: Path) -> None:
    """Give `place` its name, and fail if that has been taken meanwhile."""
    if place.is_dir():
        out.mkdir()  # raises if there is anything; a rename replaces an empty folder
        os.rename(place, out)
        return
    try:
        os.link(place, out)  # unlike a rename, never replaces
    except OSError as e:
        if e.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        out.touch(exist_ok=False)  # a disk without hard links, such as a memory stick
        os.replace(place, out)
