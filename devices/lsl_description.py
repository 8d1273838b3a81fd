"""The description that travels with an LSL stream: read, judged, compared, and written.

Layout of names and units: https://github.com/sccn/xdf/wiki/EEG-Meta-Data. Our own part stands
under ``desc/bci``.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.device import DeviceRefused
from devices.discovery import StreamFound
from devices.signal import Signal
from devices.units import NO_UNIT, canonical, standard

__all__ = ["Description", "differences", "to_signal"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Description:
    """All that an LSL stream says of itself.

    Parameters
    ----------
    found
        What it announces to everybody.
    labels, units
        One a channel, as the sender wrote them; empty where it wrote none.
    speed
        How many times faster than its nominal rate the samples come: a replay sped up.
    """

    found: StreamFound
    labels: tuple[str, ...]
    units: tuple[str, ...]
    speed: float = 1.0

    @classmethod
    def of(cls, info: Any) -> Description:
        """Read it from the full ``pylsl.StreamInfo``, as ``StreamInlet.info`` returns it."""
        desc = info.desc()
        found = StreamFound.of(info)
        labels: list[str] = []
        units: list[str] = []
        channel = desc.child("channels").child("channel")
        while not channel.empty() and len(labels) < found.n_channels:
            labels.append(channel.child_value("label").strip())
            units.append(channel.child_value("unit").strip())
            channel = channel.next_sibling("channel")
        missing = [""] * (found.n_channels - len(labels))
        return cls(
            found,
            tuple(labels + missing),
            tuple(units + missing),
            _speed(desc.child("bci").child_value("speed")),
        )


def to_signal(description: Description, unit: str = "") -> tuple[Signal, NDArray[np.float32]]:
    """Return what the stream's samples are once brought to their standard unit.

    Parameters
    ----------
    description
        What the stream says.
    unit
        What its values are in, if that is known better than the stream knows it.

    Returns
    -------
    signal
        Channels without a name are called ``ch1`` …; a name that comes twice gets a number.
    factors
        (n_channels,) float32: what each channel is multiplied by.

    Raises
    ------
    DeviceRefused
        The channels have different units, and `unit` does not say which one is meant.
    """
    found = description.found
    given = [unit or each for each in description.units]
    standards = [standard(each) for each in given]
    names = {name for name, _ in standards}
    if len(names) > 1:
        raise DeviceRefused(_mixed(description))
    (name,) = names
    if name == NO_UNIT and not any(given):
        _log.warning(
            "LSL stream %r says no unit: its values are taken as plain numbers. If they are "
            'volts or microvolts, say so with unit = "uV" in [device].',
            found.name,
        )
    factors = np.array([factor for _, factor in standards], dtype=np.float32)
    return Signal(found.rate_hz, _unique(description.labels), name), factors


def differences(before: Description, after: Description) -> str:
    """Say in what a stream is no longer the one it was, both values each; empty if in nothing.

    The outlet's uid is not looked at: it is another after each start of the sender.
    """
    pairs = {
        "rate": (f"{before.found.rate_hz:g} Hz", f"{after.found.rate_hz:g} Hz"),
        "channels": (before.found.n_channels, after.found.n_channels),
        "format": (before.found.format, after.found.format),
        "name": (before.found.name, after.found.name),
        "type": (before.found.type, after.found.type),
        "source_id": (before.found.source_id, after.found.source_id),
        "host": (before.found.host, after.found.host),
        "session": (before.found.session, after.found.session),
        "speed": (before.speed, after.speed),
    }
    said = [f"{what} was {a!r}, now is {b!r}" for what, (a, b) in pairs.items() if a != b]
    if before.found.n_channels == after.found.n_channels:
        said += _first_difference("channel", before.labels, after.labels)
        said += _first_difference(
            "unit",
            tuple(canonical(u) for u in before.units),
            tuple(canonical(u) for u in after.units),
        )
    return "; ".join(said)


def _first_difference(what: str, before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    for number, (a, b) in enumerate(zip(before, after, strict=True), start=1):
        if a != b:
            return [f"{what} {number} was {a!r}, now is {b!r}"]
    return []


def _speed(text: str) -> float:
    try:
        speed = float(text) if text else 1.0
    except ValueError as error:
        raise DeviceRefused(f"the stream's speed is {text!r}, not a number") from error
    if not (speed > 0 and math.isfinite(speed)):
        raise DeviceRefused(f"the stream's speed is {text!r}; it must be positive and finite")
    return speed


def _unique(labels: tuple[str, ...]) -> tuple[str, ...]:
    names = [label or f"ch{number}" for number, label in enumerate(labels, start=1)]
    taken, seen = set(names), Counter[str]()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            number = seen[name]
            while f"{name}-{number}" in taken:
                number += 1
            names[index] = f"{name}-{number}"
            taken.add(names[index])
    return tuple(names)


def _mixed(description: Description) -> str:
    by_unit: dict[str, list[str]] = {}
    for label, unit in zip(_unique(description.labels), description.units, strict=True):
        by_unit.setdefault(unit or "(none)", []).append(label)
    units = "; ".join(
        f"{unit}: {', '.join(labels[:4])}{' …' if len(labels) > 4 else ''}"
        for unit, labels in by_unit.items()
    )
    return (
        f"LSL stream {description.found.name!r} mixes units ({units}). Send the channels of "
        "another kind as a stream of their own, or, if the description is wrong, say what all "
        'values are in with unit = "uV" (or another) in [device].'
    )
