"""Reads what is meant from an LSL stream while a simulation runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devices.device import DeviceRefused
from devices.discovery import StreamMatch, resolve_one
from devices.liblsl import load_pylsl

__all__ = ["Listener"]

FIND_S = 10.0


class Listener:
    """Takes whatever has arrived on a named LSL stream, without waiting.

    Parameters
    ----------
    name
        Name of the stream. It is waited for, 10 s at most.
    of_text
        Whether it must carry text (markers) or numbers.
    n_channels
        How many channels it must have at least.

    Raises
    ------
    DeviceNotFound
        There is no such stream; says which there are.
    DeviceRefused
        There are several, or it carries something else.
    """

    def __init__(self, name: str, of_text: bool, n_channels: int = 1) -> None:
        pylsl = load_pylsl()
        info = resolve_one(StreamMatch(name=name), FIND_S)
        is_text = info.channel_format() == pylsl.cf_string
        if is_text != of_text or info.channel_count() < n_channels:
            wanted = "text" if of_text else f"{n_channels} or more channels of numbers"
            raise DeviceRefused(
                f"LSL stream {name!r} has {info.channel_count()} channels of "
                f"{'text' if is_text else 'numbers'}; the intent needs {wanted}"
            )
        self._inlet = pylsl.StreamInlet(info, processing_flags=pylsl.proc_clocksync)
        self._inlet.open_stream(FIND_S)
        # The first correction takes over half a second; later ones cost nothing.
        self._inlet.time_correction(FIND_S)

    def take(self) -> tuple[Sequence[float], Sequence[Sequence[Any]]]:
        """Return the times (this machine's clock, s) and rows that came since the last call."""
        rows, times = self._inlet.pull_chunk(timeout=0.0)
        return times, rows or []

    def close(self) -> None:
        """Stop listening. Twice is harmless."""
        self._inlet.close_stream()
