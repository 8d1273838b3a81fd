"""LSL streams exactly as they are, for recordings: nothing converted, nothing corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.clock import MONOTONIC
from devices.device import DeviceError, DeviceNotFound
from devices.discovery import StreamFound, StreamMatch, list_streams, resolve_one
from devices.inlet import SampleInlet
from devices.liblsl import load_pylsl

__all__ = ["RawChunk", "RawStream", "open_raw_streams"]

_BUFFER_S = 360
_MOST_SAMPLES = 1024
_IRREGULAR_HZ = 1000.0
"""What a stream without a rate is allotted memory for."""


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Samples as they came.

    Parameters
    ----------
    stamps
        (n,) float64, the sender's.
    values
        (n, n_channels) in the sender's format; None for texts.
    texts
        The rows of a stream of texts.
    """

    stamps: NDArray[np.float64]
    values: NDArray[np.generic] | None
    texts: tuple[tuple[str, ...], ...] = ()


class RawStream:
    """One stream.

    Parameters
    ----------
    info
        The resolved ``pylsl.StreamInfo``.
    timeout_s
        How long its sender may take to answer.

    Attributes
    ----------
    found
        Who sends it.
    header
        Its full description, in LSL's XML, which is XDF's.

    Raises
    ------
    DeviceNotFound
        It is announced, but its sender does not answer.
    """

    def __init__(self, info: Any, timeout_s: float) -> None:
        pylsl = load_pylsl()
        self.found = StreamFound.of(info)
        self._inlet: SampleInlet | None = None
        if self.found.format == "string":
            self._lsl = pylsl.StreamInlet(info, _BUFFER_S, 0, True)
        else:
            self._inlet = SampleInlet(info, self.found.rate_hz or _IRREGULAR_HZ, MONOTONIC)
            self._lsl = self._inlet.lsl
        try:
            self.header: bytes = self._lsl.info(timeout_s).as_xml().encode()
            self._lsl.open_stream(timeout_s)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            raise DeviceNotFound(
                f"LSL stream {self.found} is announced but does not answer within {timeout_s:g} s"
            ) from error

    def pull(self, timeout_s: float) -> RawChunk | None:
        """Return what has come, waiting for it at most `timeout_s`; None if nothing has.

        Raises
        ------
        DeviceError
            The sender is gone for good.
        """
        if self._inlet is not None:
            n = self._inlet.pull(timeout_s)
            return (
                RawChunk(self._inlet.stamps[:n].copy(), self._inlet.values[:n].copy())
                if n
                else None
            )
        try:
            rows, stamps = self._lsl.pull_chunk(timeout=timeout_s, max_samples=_MOST_SAMPLES)
        except load_pylsl().util.LostError as error:
            raise DeviceError(f"LSL stream {self.found} is gone") from error
        if not stamps:
            return None
        return RawChunk(np.array(stamps), None, tuple(tuple(map(str, row)) for row in rows))

    def clock_offset(self, timeout_s: float) -> tuple[float, float] | None:
        """Return when, on the sender's clock, ours was ahead by how much; None if it is silent."""
        util = load_pylsl().util
        try:
            offset_s = float(self._lsl.time_correction(timeout_s))
        except (util.TimeoutError, util.LostError):
            return None
        return MONOTONIC.now() - offset_s, offset_s

    def close(self) -> None:
        """Let go of it."""
        self._lsl.close_stream()


def open_raw_streams(names: Sequence[str], timeout_s: float) -> list[RawStream]:
    """Open the streams of these names.

    Raises
    ------
    DeviceNotFound
        Some are not there; says which, and what is there.
    DeviceRefused
        Two have one name.
    """
    infos, missing = [], []
    for name in names:
        try:
            infos.append(resolve_one(StreamMatch(name), timeout_s))
        except DeviceNotFound:
            missing.append(name)
    if missing:
        there = ", ".join(sorted(repr(s.name) for s in list_streams(0.5))) or "none"
        raise DeviceNotFound(
            f"required streams are missing: {', '.join(map(repr, missing))}; on the network there "
            f"is: {there}"
        )
    streams: list[RawStream] = []
    try:
        for info in infos:
            streams.append(RawStream(info, timeout_s))
    except DeviceError:
        for stream in streams:
            stream.close()
        raise
    return streams
