"""What MNE does not say about an EDF or BDF file: cut short, with holes (EDF+D), or of mixed rates.

MNE reads the records of EDF+D as if they followed each other, and resamples channels of a lower
rate, whose values then depend on where reading starts.

Sources: Kemp et al. 1992, Electroenceph. clin. Neurophysiol. 82:391 (EDF); Kemp & Olivan 2003,
Clin. Neurophysiol. 114:1755 (EDF+).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused

__all__ = ["EdfHeader", "EdfHoles", "check_gdf", "read_edf_header", "read_edf_holes"]

_FIXED_BYTES = 256
_CHANNEL_BYTES = 256
_MAX_CHANNELS = 9999  # four digits in the header
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """The layout of an EDF or BDF file.

    Parameters
    ----------
    labels
        Names of all channels, that of annotations included.
    samples_per_record
        (n_channels,) int64.
    record_s
        Seconds in a record.
    n_records
        Whole records in the file.
    header_bytes, sample_bytes
        Where the records begin; bytes of a sample.
    discontinuous
        The file says that there are holes between its records.
    """

    labels: tuple[str, ...]
    samples_per_record: NDArray[np.int64]
    record_s: float
    n_records: int
    header_bytes: int
    sample_bytes: int
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return int(self.samples_per_record.sum()) * self.sample_bytes

    def of_commonest_rate(self) -> tuple[list[str], list[str]]:
        """Return the labels of the signals at the rate that most have, and of the others."""
        signals = [
            (label, n)
            for label, n in zip(self.labels, self.samples_per_record.tolist(), strict=True)
            if label not in _ANNOTATIONS
        ]
        counts = [n for _, n in signals]
        commonest = max(set(counts), key=lambda n: (counts.count(n), n), default=0)
        return (
            [label for label, n in signals if n == commonest],
            [label for label, n in signals if n != commonest],
        )


@dataclass(frozen=True, slots=True)
class EdfHoles:
    """When the records of an EDF+D file were taken, and what was noted.

    Parameters
    ----------
    record_times
        (n_records,) float64, seconds since the start of the file.
    annotations
        (onset in seconds, text).
    """

    record_times: NDArray[np.float64]
    annotations: tuple[tuple[float, str], ...]


def read_edf_header(path: Path) -> EdfHeader:
    """Read and check the header.

    Raises
    ------
    DeviceRefused
        It is no EDF or BDF file, or shorter than its header promises.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(_FIXED_BYTES)
        if len(fixed) < _FIXED_BYTES:
            raise DeviceRefused(f"{path} ends at byte {size}, within its header of 256 bytes")
        version = fixed[:8]
        if version != b"0       " and version != b"\xffBIOSEMI":
            raise DeviceRefused(
                f"{path} is no EDF or BDF file: it begins with {version!r}, "
                "not with '0' or '\\xffBIOSEMI'"
            )
        try:
            header = _parse_header(fixed, file, size)
        except ValueError as error:
            raise DeviceRefused(f"{path} has a damaged header: {error}") from error
    promised = int(_number(fixed, 236, 244))
    if promised > header.n_records:
        end = header.header_bytes + header.n_records * header.record_bytes
        raise DeviceRefused(
            f"{path} is cut short: its header promises {promised} records of "
            f"{header.record_s:g} s, the file holds {header.n_records} whole ones, up to byte "
            f"{end}; fetch it again"
        )
    if header.n_records == 0:
        raise DeviceRefused(f"{path} holds no samples, only a header")
    return header


def read_edf_holes(path: Path, header: EdfHeader) -> EdfHoles:
    """Read the time-stamped annotation lists of every record of an EDF+D file.

    Raises
    ------
    DeviceRefused
        A record does not say when it was taken.
    """
    channel = next((i for i, label in enumerate(header.labels) if label in _ANNOTATIONS), None)
    if channel is None:
        raise DeviceRefused(
            f"{path} says EDF+D but has no annotations that say where its holes are"
        )
    before = int(header.samples_per_record[:channel].sum()) * header.sample_bytes
    n_bytes = int(header.samples_per_record[channel]) * header.sample_bytes
    times = np.empty(header.n_records)
    annotations: list[tuple[float, str]] = []
    with path.open("rb") as file:
        for record in range(header.n_records):
            start = header.header_bytes + record * header.record_bytes + before
            file.seek(start)
            try:
                times[record] = _read_lists(file.read(n_bytes), annotations)
            except ValueError as error:
                raise DeviceRefused(
                    f"{path}, record {record} (byte {start}), does not say when it was taken: "
                    f"{error}"
                ) from error
    return EdfHoles(times - times[0], tuple((s - times[0], text) for s, text in annotations))


def check_gdf(path: Path) -> None:
    """Hold the number of channels of a GDF file against its size, before MNE believes it.

    Raises
    ------
    DeviceRefused
        It is no GDF file, or its header claims more channels than the file can describe.

    Notes
    -----
    Schloegl 2006, arXiv:cs/0608052: the number is at byte 252, of 4 bytes before version 1.9, of 2
    since; each channel is described by 256 bytes.
    """
    with path.open("rb") as file:
        fixed = file.read(_FIXED_BYTES)
    try:
        if fixed[:3] != b"GDF":
            raise ValueError(f"it begins with {fixed[:3]!r}, not with 'GDF'")
        width = 4 if _number(fixed, 3, 8) < 1.9 else 2
        n_channels = int.from_bytes(fixed[252 : 252 + width], "little")
        needed = _FIXED_BYTES + n_channels * _CHANNEL_BYTES
        if not n_channels or needed > path.stat().st_size:
            raise ValueError(f"it claims {n_channels} channels in {path.stat().st_size} bytes")
    except ValueError as error:
        raise DeviceRefused(f"{path} is no GDF file: {error}") from error


def _parse_header(fixed: bytes, file: BinaryIO, size: int) -> EdfHeader:
    sample_bytes = 3 if fixed[0] == 0xFF else 2
    n_channels = int(_number(fixed, 252, 256))
    if not 0 < n_channels <= _MAX_CHANNELS:
        raise ValueError(f"{n_channels} channels")
    block = file.read(n_channels * _CHANNEL_BYTES)
    if len(block) < n_channels * _CHANNEL_BYTES:
        raise ValueError(f"the file ends at byte {size}, within the header")
    labels = tuple(
        block[16 * i : 16 * (i + 1)].decode("latin-1").strip() for i in range(n_channels)
    )
    offset = 216 * n_channels
    samples = np.array(
        [int(_number(block, offset + 8 * i, offset + 8 * (i + 1))) for i in range(n_channels)],
        np.int64,
    )
    if (samples < 0).any() or not samples.any():
        raise ValueError(f"samples a record: {samples.tolist()}")
    header_bytes = _FIXED_BYTES + len(block)
    record_bytes = int(samples.sum()) * sample_bytes
    in_file = (size - header_bytes) // record_bytes
    promised = int(_number(fixed, 236, 244))
    return EdfHeader(
        labels=labels,
        samples_per_record=samples,
        record_s=_number(fixed, 244, 252) or 1.0,
        n_records=in_file if promised < 0 else min(promised, in_file),
        header_bytes=header_bytes,
        sample_bytes=sample_bytes,
        discontinuous=fixed[192:197] in (b"EDF+D", b"BDF+D"),
    )


def _number(data: bytes, start: int, stop: int) -> float:
    text = data[start:stop].decode("latin-1").strip("\x00 ")
    value = float(text)  # ValueError names the text
    if not np.isfinite(value):
        raise ValueError(f"{text} where a number should be")
    return value


def _read_lists(data: bytes, annotations: list[tuple[float, str]]) -> float:
    """Append what a record's lists (TALs) say; return the time of the record in seconds."""
    start_s: float | None = None
    for entry in data.split(b"\x00"):
        if not entry:
            continue
        stamp, *texts = entry.split(b"\x14")
        onset_s = float(stamp.split(b"\x15")[0])
        if start_s is None:
            start_s = onset_s
        annotations += [(onset_s, text.decode("utf-8", "replace")) for text in texts if text]
    if start_s is None:
        raise ValueError("its list is empty")
    return start_s
