"""What is on the network: LSL streams, found and told apart."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from devices.device import DeviceNotFound, DeviceRefused
from devices.liblsl import load_pylsl

__all__ = ["StreamFound", "StreamMatch", "list_streams", "resolve_one"]

FORMATS = ("undefined", "float32", "float64", "string", "int32", "int16", "int8", "int64")
"""Names of LSL's channel formats, by their number."""

_SETTLE_S = 0.3
"""How long to go on looking for a second match, at least; at most four times as long.

Who answers the question once, answers it again in the same time: by multicast at once, but where
only known peers are asked (``KnownPeers``), after liblsl's second wave of questions, 0.5 s later.
"""


@dataclass(frozen=True, slots=True)
class StreamFound:
    """One stream as it announces itself. Every field may go into JSON.

    Parameters
    ----------
    name, type, source_id
        As its sender set them; may be empty.
    n_channels
        Number of channels.
    rate_hz
        Nominal sampling rate; 0 for markers and other irregular streams.
    format
        ``float32``, ``float64``, ``int8`` … ``int64`` or ``string``.
    host
        Name of the sender's machine.
    uid
        Of this one outlet; another each time the sender starts.
    session
        LSL session.
    """

    name: str
    type: str
    source_id: str
    n_channels: int
    rate_hz: float
    format: str
    host: str
    uid: str
    session: str

    @classmethod
    def of(cls, info: Any) -> StreamFound:
        """Read it from a ``pylsl.StreamInfo``."""
        return cls(
            name=info.name(),
            type=info.type(),
            source_id=info.source_id(),
            n_channels=info.channel_count(),
            rate_hz=info.nominal_srate(),
            format=FORMATS[info.channel_format()],
            host=info.hostname(),
            uid=info.uid(),
            session=info.session_id(),
        )

    def __str__(self) -> str:
        rate = f"{self.rate_hz:g} Hz" if self.rate_hz else "irregular"
        return (
            f"{self.name!r} (type {self.type!r}, {self.n_channels} ch, {rate}, {self.format}, "
            f"source_id {self.source_id!r}, host {self.host!r})"
        )


@dataclass(frozen=True, slots=True)
class StreamMatch:
    """How a stream is recognised: by whichever of these are given, all of them together.

    Parameters
    ----------
    name, type, source_id
        Compared exactly; an empty one is not looked at.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""

    def predicate(self) -> str:
        """Return it as the XPath predicate that liblsl asks the network with."""
        given = {"name": self.name, "type": self.type, "source_id": self.source_id}
        return " and ".join(f"{key}={_quoted(value)}" for key, value in given.items() if value)

    def __bool__(self) -> bool:
        return bool(self.name or self.type or self.source_id)

    def __str__(self) -> str:
        given = {"name": self.name, "type": self.type, "source_id": self.source_id}
        return ", ".join(f"{key} {value!r}" for key, value in given.items() if value)


def list_streams(wait_s: float = 1.0) -> list[StreamFound]:
    """Return every stream that answers within `wait_s`, by name."""
    infos = load_pylsl().resolve_streams(wait_s)
    return sorted((StreamFound.of(i) for i in infos), key=lambda s: (s.name, s.type, s.source_id))


def resolve(match: StreamMatch, timeout_s: float, at_least: int = 1) -> list[Any]:
    """Return the ``pylsl.StreamInfo`` of each match, as soon as there are `at_least` as many."""
    found: list[Any] = load_pylsl().resolve_bypred(match.predicate(), at_least, timeout_s)
    return found


def resolve_one(match: StreamMatch, timeout_s: float) -> Any:
    """Return the ``pylsl.StreamInfo`` of the only stream that matches.

    Raises
    ------
    DeviceNotFound
        None came up within `timeout_s`; says which are there instead.
    DeviceRefused
        Several match; lists them.
    """
    asked_s = time.monotonic()
    first = resolve(match, timeout_s)
    if not first:
        raise DeviceNotFound(_not_found(match, timeout_s))
    settle_s = min(max(_SETTLE_S, 1.5 * (time.monotonic() - asked_s)), 4 * _SETTLE_S)
    found = {info.uid(): info for info in resolve(match, settle_s, at_least=1024) or first}
    if len(found) > 1:
        lines = "\n".join(
            f"  {line}" for line in sorted(str(StreamFound.of(i)) for i in found.values())
        )
        raise DeviceRefused(
            f"{len(found)} LSL streams match {match}:\n{lines}\n"
            "Say which one by its source_id, or close the others."
        )
    return next(iter(found.values()))


def _not_found(match: StreamMatch, timeout_s: float) -> str:
    there = list_streams()
    lines = "\n".join(f"  {stream}" for stream in there) or "  none at all"
    advice = (
        "Correct the description, or start the sender."
        if there
        else "Start the sender; if it runs elsewhere, `bci doctor` finds out what blocks it."
    )
    return f"no LSL stream with {match} within {timeout_s:g} s. There are:\n{lines}\n{advice}"


def _quoted(value: str) -> str:
    """Return an XPath 1.0 string literal, which has no escapes."""
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    parts = ', "\'", '.join(f"'{part}'" for part in value.split("'"))
    return f"concat({parts})"
