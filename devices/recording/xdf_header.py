"""The XML in an XDF file, read with suspicion: it comes from strangers.

No document types (and so no entities), a bounded length, numbers within reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

__all__ = ["FORMATS", "MAX_XML_BYTES", "XdfHeader", "parse_footer", "parse_header"]

#: Longest header that is read; 3,072 channels described at length take 1 MiB.
MAX_XML_BYTES = 16 * 2**20

_MAX_CHANNELS = 2**16
_MAX_RATE_HZ = 1e7

#: NumPy's type of each numeric format (always little-endian in the file).
FORMATS = {
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float32": "<f4",
    "double64": "<f8",
}


@dataclass(frozen=True, slots=True)
class XdfHeader:
    """What a stream says of itself.

    Parameters
    ----------
    name, kind
        Its name and its type, as written.
    format
        A key of `FORMATS`, or ``"string"``.
    rate_hz
        Nominal rate; 0 for samples that come when they come.
    labels
        One a channel, unique.
    units
        One a channel, ``""`` where none is stated.
    can_drop_samples
        It says that samples may be missing, so stamps must not be evened out.
    source_id
        Identity of its source.
    about
        What our own recordings say of their session: texts by name; else nothing.
    notes
        What was wrong with it, and mended.
    """

    name: str
    kind: str
    format: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    can_drop_samples: bool
    notes: tuple[str, ...] = ()
    source_id: str = ""
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def value_bytes(self) -> int:
        """Bytes of the values of one sample; 0 for texts, which vary."""
        return int(FORMATS[self.format][2]) * len(self.labels) if self.format in FORMATS else 0

    @property
    def smallest_bytes(self) -> int:
        """Bytes that one sample takes at least."""
        return 1 + (self.value_bytes or 2 * len(self.labels))


def parse_header(content: bytes) -> XdfHeader:
    """Read the header of a stream.

    Raises
    ------
    ValueError
        It is damaged, or asks for what no device has; says what.
    """
    info = _parse(content)
    name = _text(info, "name")
    n_channels = _whole(info, "channel_count")
    if not 0 < n_channels <= _MAX_CHANNELS:
        raise ValueError(f"stream {name!r} claims {n_channels} channels")
    rate_hz = _real(info, "nominal_srate")
    if not 0 <= rate_hz <= _MAX_RATE_HZ:
        raise ValueError(f"stream {name!r} claims a rate of {rate_hz:g} Hz")
    format_ = _text(info, "channel_format")
    if format_ != "string" and format_ not in FORMATS:
        raise ValueError(f"stream {name!r} has the unknown format {format_!r}")
    labels, units, notes = _channels(info, name, n_channels)
    return XdfHeader(
        name=name,
        kind=_text(info, "type"),
        format=format_,
        rate_hz=rate_hz,
        labels=labels,
        units=units,
        can_drop_samples=_text(info, "desc/synchronization/can_drop_samples").lower() == "true",
        notes=notes,
        source_id=_text(info, "source_id"),
        about={child.tag: child.text or "" for child in info.iterfind("desc/bci/*")},
    )


def parse_footer(content: bytes) -> int | None:
    """Return the number of samples that a stream's footer states, if it does.

    Raises
    ------
    ValueError
        The footer is damaged.
    """
    info = _parse(content)
    return _whole(info, "sample_count") if _text(info, "sample_count") else None


def _parse(content: bytes) -> ElementTree.Element:
    text = content.decode("utf-8", "replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("its XML declares a document type, which XDF does not have")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"its XML is damaged ({error})") from error


def _text(info: ElementTree.Element, path: str) -> str:
    return (info.findtext(path) or "").strip()


def _whole(info: ElementTree.Element, path: str) -> int:
    value = _real(info, path)
    if value != int(value):
        raise ValueError(f"{path} is {value:g}")
    return int(value)


def _real(info: ElementTree.Element, path: str) -> float:
    text = _text(info, path)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{path} is {text!r}, not a number")
    return value


def _channels(
    info: ElementTree.Element, name: str, n_channels: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    described = info.findall("desc/channels/channel")
    if len(described) != n_channels:
        labels = tuple(f"ch{i + 1}" for i in range(n_channels))
        notes = (
            (f"{name!r} describes {len(described)} channels but has {n_channels}",)
            if described
            else ()
        )
        return labels, ("",) * n_channels, notes
    wanted = [_text(channel, "label") or f"ch{i + 1}" for i, channel in enumerate(described)]
    seen: set[str] = set()
    labels_list = []
    for i, label in enumerate(wanted):
        labels_list.append(f"{label} ({i + 1})" if label in seen else label)
        seen.add(labels_list[-1])
    repeated = len(set(wanted)) < n_channels
    return (
        tuple(labels_list),
        tuple(_text(channel, "unit") for channel in described),
        (f"{name!r} has several channels of one name; they were numbered",) if repeated else (),
    )
