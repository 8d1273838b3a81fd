"""What XDF 1.0 is made of: its marks, its chunks' tags, its formats, its streams.

Source: XDF 1.0, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from devices.recording.xdf_xml import Desc

__all__ = ["BOUNDARY", "DTYPES", "MAGIC", "Format", "Tag", "XdfStream", "small_chunk"]

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")

Format = Literal["int8", "int16", "int32", "int64", "float32", "double64", "string"]

DTYPES: dict[str, np.dtype[np.generic]] = {
    **{f: np.dtype(f).newbyteorder("<") for f in ("int8", "int16", "int32", "int64", "float32")},
    "double64": np.dtype("<f8"),
}


class Tag:
    """What a chunk holds; all but the file header and the boundary belong to a stream."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


@dataclass(frozen=True)
class XdfStream:
    """What a stream of the file is.

    Parameters
    ----------
    name, kind
        Its name, and what XDF calls its type: ``"EEG"``, ``"Markers"`` …
    format
        How each value is stored.
    channels
        Channel labels.
    units
        One for all channels, or one each; empty: none is stated.
    rate_hz
        Nominal rate; 0 for samples that come when they come.
    source_id
        Identity of the source.
    desc
        Whatever else is known (device, reference, filters …): nested mappings, lists for elements
        that occur several times, and texts. Goes into ``<desc>`` beside the channels.
    """

    name: str
    kind: str
    format: Format
    channels: tuple[str, ...]
    units: str | tuple[str, ...] = ""
    rate_hz: float = 0.0
    source_id: str = ""
    desc: Mapping[str, Desc] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError(f"stream {self.name!r} needs at least one channel")
        if self.format != "string" and self.format not in DTYPES:
            raise ValueError(f"XDF has no format {self.format!r}; it has {', '.join(DTYPES)}")
        if not (np.isfinite(self.rate_hz) and self.rate_hz >= 0):
            raise ValueError(f"rate_hz must be 0 or positive, not {self.rate_hz!r}")
        if not isinstance(self.units, str) and len(self.units) != len(self.channels):
            raise ValueError(f"{len(self.units)} units for {len(self.channels)} channels")


def small_chunk(tag: int, stream: int | None, content: bytes) -> bytes:
    """Return the bytes of a chunk that is no samples chunk; `stream` is None for those of none."""
    head = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream))
    return struct.pack("<BI", 4, len(head) + len(content)) + head + content
