"""What a command becomes on its way out: the last word before every sink. A pure function.

A command stands only if everything speaks for it; else it becomes *neutral*, and the reason says
what spoke against it most. The values of one that stands lie within the limits of the lease.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bci_server.wire import NeutralReason, Quality, SessionState
from decoders.output import Command, Mode

__all__ = ["Gated", "Shape", "Situation", "gate"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the commands of a session look like."""

    mode: Mode
    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides whether a command may stand.

    Parameters
    ----------
    state
        Where the session is.
    age_ms
        Age of the newest sample that the command rests on.
    quality
        Of those samples.
    stopped
        Somebody said stop.
    limits
        Largest absolute value of each command; None when nobody is armed.
    """

    state: SessionState
    age_ms: float
    quality: Quality
    stopped: bool
    limits: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Gated:
    """What goes out.

    Parameters
    ----------
    mode, names, values, unit, confidence
        The command. A neutral one for velocities has zeros, so that an effector which looks at
        nothing else stops; any other neutral one has no values, since zero is a place to go to.
    armed
        Somebody holds the lease.
    reason
        Why it is neutral; empty when it stands.
    decoded
        What the decoder said, whether it stands or not.
    """

    mode: Mode
    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    confidence: float
    armed: bool
    reason: NeutralReason
    decoded: tuple[float, ...]


_OF_STATE: Mapping[SessionState, NeutralReason] = {
    "idle": "starting",
    "starting": "starting",
    "running": "",
    "stalled": "stalled",
    "ended": "ended",
    "failed": "failed",
}


def gate(
    command: Command | None,
    shape: Shape,
    situation: Situation,
    stale_ms: float,
    min_confidence: float,
) -> Gated:
    """Return what may go out.

    Parameters
    ----------
    command
        What the decoder said; None where it said nothing (steps filling, no samples).
    shape
        What commands of this session look like. One that looks otherwise is a decoder's fault.
    situation
        What holds at this moment.
    stale_ms, min_confidence
        See `bci_server.safety.limits.Safety`.
    """
    reason = _against(command, shape, situation, stale_ms, min_confidence)
    armed = situation.limits is not None
    decoded = () if command is None else command.values
    confidence = 0.0 if command is None else command.confidence
    if command is None or reason or command.mode == "neutral" or situation.limits is None:
        still = shape.mode == "velocity"
        names = shape.names if still else ()
        values = (0.0,) * len(names)
        return Gated("neutral", names, values, shape.unit, confidence, armed, reason, decoded)
    values = tuple(
        max(-situation.limits[n], min(situation.limits[n], v))
        for n, v in zip(command.names, command.values, strict=True)
    )
    return Gated(command.mode, command.names, values, command.unit, confidence, armed, "", decoded)


def _against(
    command: Command | None,
    shape: Shape,
    situation: Situation,
    stale_ms: float,
    min_confidence: float,
) -> NeutralReason:
    """Return what speaks against the command most; empty: nothing. The worst comes first."""
    if situation.stopped:
        return "stopped"
    if reason := _OF_STATE[situation.state]:
        return reason
    if situation.quality == "bad":
        return "bad_signal"
    if not situation.age_ms <= stale_ms:  # also when the age is not a number
        return "stale"
    if command is not None and not _is_sound(command, shape):
        return "decoder_failed"
    if situation.limits is None:
        return "disarmed"
    if command is None:
        return "starting"
    if not command.confidence >= min_confidence:
        return "low_confidence"
    return ""


def _is_sound(command: Command, shape: Shape) -> bool:
    if command.mode == "neutral":
        return True
    looks_right = (command.mode, command.names, command.unit) == (
        shape.mode,
        shape.names,
        shape.unit,
    )
    return (
        looks_right
        and len(command.values) == len(command.names)
        and all(map(math.isfinite, command.values))
    )
