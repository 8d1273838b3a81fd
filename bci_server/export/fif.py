"""FIF, the format of MNE-Python: one stream in float64, with annotations.

Source: https://mne.tools/stable/generated/mne.io.Raw.html#mne.io.Raw.save
"""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np

from bci_server.export.grid import Grid, tell_other_streams
from bci_server.export.mne_raw import raw_of
from bci_server.export.report import CannotHold, Report
from bci_server.export.source import Source

__all__ = ["write"]

_LONGEST_BYTES = 1_900_000_000
_FLOAT_BYTES = 8

_TAG = struct.Struct(">iiii")
"""Kind, type, number of bytes, and where the next one is; 0: right behind."""
_ID_STRUCT = 31
_VERSION_BYTES = 4
_NOBODY = struct.pack(">iiii", 0, 0, 0, 2**31 - 1)
"""Two words of a machine, seconds and microseconds: MNE's values for no date."""


def write(source: Source, target: Path, report: Report) -> None:
    """Write the file.

    Raises
    ------
    CannotHold
        It would be longer than a FIF file can be, or mostly holes.
    """
    grid = Grid(source.main, report)
    size = grid.n_places * len(source.main.channels) * _FLOAT_BYTES
    if size > _LONGEST_BYTES:
        raise CannotHold(
            f"{source.path} would be {size:,} bytes long, and a FIF file can have 2 GB; "
            "nwb, edf and parquet hold it"
        )
    marks = grid.marks(source, report)
    raw = raw_of(source, grid, marks)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*naming conventions.*")
        raw.save(target, fmt="double", overwrite=False, verbose="ERROR")
    _forget_machine(target)
    _tell(source, marks, report)
    tell_other_streams(source, report)


def _forget_machine(path: Path) -> None:
    """Clear what MNE writes into every identity: the network address of this computer, and now."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        at = 0
        while at + _TAG.size <= size:
            file.seek(at)
            _, type_, n_bytes, next_ = _TAG.unpack(file.read(_TAG.size))
            if type_ == _ID_STRUCT and n_bytes == _VERSION_BYTES + len(_NOBODY):
                file.seek(at + _TAG.size + _VERSION_BYTES)
                file.write(_NOBODY)
            if next_ < 0:
                return
            at = next_ or at + _TAG.size + n_bytes


def _tell(source: Source, marks: list[tuple[float, float, str]], report: Report) -> None:
    series = source.main
    if series.unit != "uV" or bool((series.scale == 1e6).all()):
        report.exact.append("samples, in float64")
    elif series.values.dtype.itemsize <= 4:
        report.exact.append("samples, in float64 and volts: rounded to float32 they are as before")
    else:
        report.changed.append("samples are in volts: the last digit of a float64 may differ")
    onsets = np.array([onset for onset, _, _ in marks])
    worst_s = float(np.abs(onsets.astype(np.float32) - onsets).max()) if len(onsets) else 0.0
    if worst_s > 1e-6:
        report.changed.append(
            f"onsets of markers are float32 in FIF: up to {1e3 * worst_s:.4f} ms off"
        )
    if series.unit not in ("uV", "1"):
        report.left_out.append(f"the unit {series.unit!r}: FIF has no word for it")
