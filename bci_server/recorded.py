"""A recorded session read back: exactly what was fed to the decoder, and what it said.

The other end of `bci_server.recording_file`. Fed to the same pipeline with the same model, a
session's chunks give its outputs again, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import msgspec
import numpy as np

from bci_server.recording_file import Fed
from decoders.decoder import Event
from devices.device import DeviceRefused
from devices.recording.checksums import read_checksums
from devices.recording.pieces import map_file, pieces_of
from devices.recording.verify import Decoded, decoded
from devices.recording.xdf_chunks import Layout, Samples, parse_xml
from devices.recording.xdf_format import Tag
from devices.signal import Marker, Signal

__all__ = ["Recorded"]


class _Feed(msgspec.Struct, frozen=True):
    first: int
    markers: tuple[Marker, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Recorded:
    """A recorded session.

    Parameters
    ----------
    path
        Its file.
    name, identity
        The session's, and the device's.
    signal
        What the device gave.
    about
        What was known of the session: its file's text, the model's hash …
    """

    path: Path
    name: str
    identity: str
    signal: Signal
    about: dict[str, str]

    @classmethod
    def open(cls, path: Path | str) -> Recorded:
        """Open a recording of this server's.

        Raises
        ------
        DeviceNotFound, DeviceRefused
            There is none, or it is somebody else's.
        """
        path = Path(path)
        for found in _chunks(path):
            if found.text and found.layout is not None:
                about = parse_xml(found.text).find("./desc/bci")
                if about is not None:
                    return cls._of(path, found.layout, about)
        raise DeviceRefused(f"{path} was not recorded by this server, so it cannot be replayed")

    @classmethod
    def _of(cls, path: Path, layout: Layout, about: Element) -> Recorded:
        signal = Signal(layout.rate_hz, layout.labels, layout.units[0])
        texts = {child.tag: child.text or "" for child in about}
        return cls(path, layout.name, layout.source_id, signal, texts)

    def feeds(self) -> Iterator[Fed]:
        """Yield what was fed to the decoder, read by read; a torn end is left out."""
        values = times = stamps = None
        feed = _Feed(-1, (), ())
        for kind, samples in self._samples():
            if kind == "":
                stamps, values = samples.times, samples.values
                times = None
            elif kind == "bci.times" and samples.values is not None:
                times = samples.values[:, 0].astype(np.float64)
            elif kind == "bci.feed":
                feed = msgspec.json.decode(samples.texts[0][0], type=_Feed)
            elif kind == "bci.chunks" and samples.values is not None:
                assert values is not None
                assert stamps is not None
                first, n, gap, received_s = samples.values[0].tolist()
                is_mine = feed.first == first and len(values) == n
                yield Fed(
                    int(first),
                    values,
                    stamps if times is None else times,
                    None if times is None else stamps,
                    bool(gap),
                    received_s,
                    feed.markers if is_mine else (),
                    feed.events if is_mine else (),
                )

    def lines(self) -> Iterator[str]:
        """Yield the lines of the transcript, see `decoders.transcript`."""
        for kind, samples in self._samples():
            if kind == "bci.outputs":
                yield from (row[0] for row in samples.texts)

    def log(self) -> list[dict[str, Any]]:
        """Return the log: the start, what was lost, the end; without the last if it was killed."""
        return [
            msgspec.json.decode(row[0])
            for kind, samples in self._samples()
            if kind == "bci.log"
            for row in samples.texts
        ]

    def _samples(self) -> Iterator[tuple[str, Samples]]:
        """Yield every chunk of samples and its stream's role: empty for the signal itself."""
        for found in _chunks(self.path):
            if found.samples is None or found.layout is None:
                continue
            layout = found.layout
            if layout.kind.startswith("bci."):
                yield layout.kind, found.samples
            elif layout.source_id == self.identity and layout.name == self.name:
                yield "", found.samples


def _chunks(path: Path) -> Iterator[Decoded]:
    data = map_file(path)
    for found in decoded(data, pieces_of(data, read_checksums(path))):
        chunk = found.piece.chunk
        if chunk is not None and chunk.tag in (Tag.STREAM_HEADER, Tag.SAMPLES):
            yield found
