"""What a command becomes on its way out: the last word before every sink. A pure function.

A command stands only if everything speaks for it; else it becomes *neutral*, and the reason says
what spoke against it most. One that stands lies within the limits of the lease, and follows the one
before it no faster than they allow. Neutral is typed: a velocity brakes to zero within its
acceleration, a grasp holds or opens, a position holds, a click is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bci_server.safety.limits import Bound, Safety
from bci_server.safety.motion import Motion, follow, settle
from bci_server.safety.states import FAULTS
from bci_server.wire import NeutralReason, Quality, SessionState
from decoders.output import Command, Mode

__all__ = ["Gated", "Shape", "Situation", "gate", "rest_of"]


_MOST_AHEAD_MS = 50.0
"""Clocks of two machines may differ by less; more means that a sender's stamps are wrong."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the commands of a session look like."""

    mode: Mode
    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides whether a command may stand, and how far it may go.

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
    fault
        What has latched; empty: nothing.
    limits
        What each command keeps to; None when nobody is armed.
    is_same_stream
        The samples come from the stream that the session began with.
    sample, last_sample
        The newest sample that the command rests on, and that of the command before.
    allowance
        How many more commands may go out at this moment, for their rate.
    motion
        What the effector was told last; None: nothing, or it is where neutral leads to.
    elapsed_s
        Time since then.
    """

    state: SessionState
    age_ms: float
    quality: Quality = "good"
    stopped: bool = False
    fault: NeutralReason = ""
    limits: Mapping[str, Bound] | None = None
    is_same_stream: bool = True
    sample: int = 0
    last_sample: int = -1
    allowance: float = math.inf
    motion: Motion | None = None
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gated:
    """What goes out.

    Parameters
    ----------
    mode, names, values, unit, confidence
        The command. A neutral one for velocities has the values on the way to zero, so that an
        effector which looks at nothing else stops; so has a grasp that opens; any other neutral
        one has no values, since zero is a place to go to.
    armed
        Somebody holds the lease.
    reason
        Why it is neutral; empty when it stands.
    decoded
        What the decoder said, whether it stands or not; empty if that was no number.
    rest
        What neutral leads to; empty: it stays.
    motion
        What the effector is told with it.
    """

    mode: Mode
    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    confidence: float
    armed: bool
    reason: NeutralReason
    decoded: tuple[float, ...]
    rest: tuple[float, ...]
    motion: Motion | None

    @property
    def is_fault(self) -> bool:
        """Whether the reason latches."""
        return self.reason in FAULTS


_OF_STATE: Mapping[SessionState, NeutralReason] = {
    "idle": "starting",
    "starting": "starting",
    "running": "",
    "stalled": "stalled",
    "ended": "ended",
    "failed": "failed",
}


def gate(command: Command | None, shape: Shape, situation: Situation, safety: Safety) -> Gated:
    """Return what may go out.

    Parameters
    ----------
    command
        What the decoder said; None where it said nothing (steps filling, no samples).
    shape
        What commands of this session look like. One that looks otherwise is a decoder's fault.
    situation
        What holds at this moment.
    safety
        The rules of the session.
    """
    reason = _against(command, shape, situation, safety)
    rest = rest_of(shape, safety)
    is_armed = situation.limits is not None
    decoded, confidence = _said(command)
    motion = situation.motion
    if command is None or reason or command.mode == "neutral" or motion is None:
        values, motion = _neutral(motion, shape, rest, situation.elapsed_s)
        names = shape.names if values else ()
        return Gated(
            "neutral",
            names,
            values,
            shape.unit,
            confidence,
            is_armed,
            reason,
            decoded,
            rest,
            motion,
        )
    motion = _follow(motion, command.values, shape.mode, rest, situation.elapsed_s, safety)
    return Gated(
        shape.mode,
        shape.names,
        motion.values or (),
        shape.unit,
        confidence,
        is_armed,
        "",
        decoded,
        rest,
        motion,
    )


def _said(command: Command | None) -> tuple[tuple[float, ...], float]:
    """Return values and confidence for displays; of numbers, JSON knows only finite ones."""
    if command is None:
        return (), 0.0
    values = command.values if all(map(math.isfinite, command.values)) else ()
    return values, command.confidence if math.isfinite(command.confidence) else 0.0


def rest_of(shape: Shape, safety: Safety) -> tuple[float, ...]:
    """Return the values that neutral leads to; empty: everything stays as it is."""
    if shape.mode == "velocity":
        return (0.0,) * len(shape.names)
    if shape.mode == "grasp" and safety.neutral == "open":
        return (safety.open_value,) * len(shape.names)
    return ()


def _follow(
    motion: Motion,
    wanted: tuple[float, ...],
    mode: Mode,
    rest: tuple[float, ...],
    elapsed_s: float,
    safety: Safety,
) -> Motion:
    """Return what follows; where a command's life is over, the effector went neutral meanwhile."""
    ttl_s = 1e-3 * safety.ttl_ms
    if elapsed_s > ttl_s:
        motion, elapsed_s = settle(motion, rest, mode, elapsed_s - ttl_s), ttl_s
    return follow(motion, wanted, mode, elapsed_s, ttl_s)


def _neutral(
    motion: Motion | None, shape: Shape, rest: tuple[float, ...], elapsed_s: float
) -> tuple[tuple[float, ...], Motion | None]:
    """Return the values of a neutral command, and what the effector is told with them."""
    if motion is not None:
        motion = settle(motion, rest, shape.mode, elapsed_s)
        if rest and motion.values is not None:
            return motion.values, motion
    # A grasp that was told nothing is not told to open: neutral moves nothing that stood still.
    return (rest if shape.mode == "velocity" else ()), motion


def _against(
    command: Command | None, shape: Shape, situation: Situation, safety: Safety
) -> NeutralReason:
    """Return what speaks against the command most; empty: nothing. The worst comes first."""
    if situation.stopped:
        return "stopped"
    if situation.fault:
        return situation.fault
    if not situation.is_same_stream:
        return "other_stream"
    if command is not None and not _is_sound(command, shape):
        return "decoder_failed"
    if command is not None and not situation.sample > situation.last_sample:
        return "out_of_order"
    if reason := _OF_STATE[situation.state]:
        return reason
    return _against_now(command, situation, safety)


def _against_now(command: Command | None, situation: Situation, safety: Safety) -> NeutralReason:
    """Return what speaks against a sound command at this moment, and may not the next."""
    if situation.quality == "bad":
        return "bad_signal"
    # Nor from the future, which would make old samples look young; nor of an age that is no number.
    if not -_MOST_AHEAD_MS <= situation.age_ms <= safety.stale_ms:
        return "stale"
    if situation.limits is None:
        return "disarmed"
    if not situation.allowance >= 1.0:
        return "too_fast"
    if command is None:
        return "starting"
    if not command.confidence >= safety.min_confidence:
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
