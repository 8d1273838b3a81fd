"""The ``[safety]`` section of the session file, and what a lease lets its holder do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bci_server.calls import Limit
from decoders.output import Mode

__all__ = ["Bound", "Safety", "bound", "default_ttl_ms"]

_DEFAULT_RISE_S = 0.1
"""Without a limit on it, a command goes from nothing to its largest value in this time."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How far and how fast one command may go.

    Parameters
    ----------
    largest
        Absolute value, in the command's unit.
    slope
        Largest change a second: of a velocity its acceleration, of a position its velocity; of
        clicks, how many a second.
    bend
        Of positions: largest change of their velocity a second. ``inf``: none.
    low, high
        The workspace. Of positions, in their unit; of velocities, in their unit times seconds,
        reckoned from where the effector was when it was armed. ``-inf`` and ``inf``: none.
    """

    largest: float
    slope: float
    bend: float = math.inf
    low: float = -math.inf
    high: float = math.inf


def bound(limit: Limit | float, mode: Mode) -> Bound:
    """Return what a client's limit means for commands of `mode`.

    Raises
    ------
    ValueError
        It makes no sense; the message says why.
    """
    if not isinstance(limit, Limit):
        limit = Limit(value=limit)
    own, other = ("acceleration", "velocity") if mode == "velocity" else ("velocity", "")
    for name in ("value", "velocity", "acceleration"):
        given = getattr(limit, name)
        if given is not None and not (math.isfinite(given) and given > 0):
            raise ValueError(f"{name} is not a positive number")
    if other and getattr(limit, other) is not None:
        raise ValueError(f"a velocity is limited by value and {own}, not by {other}")
    slope = getattr(limit, own)
    low = -math.inf if limit.low is None else limit.low
    high = math.inf if limit.high is None else limit.high
    if not low < high:
        raise ValueError("low must lie below high")
    if mode == "velocity" and not low <= 0 <= high:
        raise ValueError("the workspace of a velocity is reckoned from where it is armed: "
                         "low must not be above 0, high not below")  # fmt: skip
    return Bound(
        limit.value,
        limit.value / _DEFAULT_RISE_S if slope is None else slope,
        math.inf if mode == "velocity" or limit.acceleration is None else limit.acceleration,
        low,
        high,
    )


def default_ttl_ms(hop_s: float) -> float:
    """Return how long a command stands where the session file does not say: two of them and a bit.

    One may be late or lost, and none of them stands for less than 100 ms.
    """
    return max(100.0, 2e3 * hop_s + 50.0)


@dataclass(frozen=True, slots=True)
class Safety:
    """When a command may not stand, in milliseconds of monotonic time.

    Parameters
    ----------
    ttl_ms
        How long an effector may act on a command without another one; it goes neutral by itself
        after that. Must be longer than a hop.
    stale_ms
        A command that rests on a newest sample older than this is neutral. Counted from when the
        sample was taken, so it includes what the sender and the network took.
    stall_ms
        The session is stalled when no sample has arrived for so long. Longer than the pause
        between two chunks of the sender.
    lease_ms
        How long a client stays armed without renewing.
    hold_ms
        An armed session whose commands could not stand for so long is disarmed: nobody expects
        it to move again by itself.
    min_confidence
        A command of less confidence is neutral.
    max_rate_hz
        More commands a second than this are neutral.
    flat_ms
        A voltage that does not change at all for so long is of a channel that is dead or at its
        rail.
    saturated_at
        Absolute value, in the signal's unit, from which a channel is taken to be at its rail.
    max_bad_channels
        Share of channels that may be flat or saturated; with more of them the signal is bad, and
        commands are neutral. With fewer it is degraded.
    neutral
        What a grasp does when it is neutral: ``"hold"`` what it holds, or ``"open"``.
    open_value
        The value of an open grasp.
    limits
        The most that any client may be given: of each command a number, or ``{ value, velocity,
        acceleration, low, high }``. A client that names none gets these.
    audit
        Folder of the audit logs.
    """

    ttl_ms: float = 250.0
    stale_ms: float = 200.0
    stall_ms: float = 90.0
    lease_ms: float = 300.0
    hold_ms: float = 1000.0
    min_confidence: float = 0.0
    max_rate_hz: float = 1000.0
    flat_ms: float = 60.0
    saturated_at: float | None = None
    max_bad_channels: float = 0.5
    neutral: Literal["hold", "open"] = "hold"
    open_value: float = 0.0
    limits: Mapping[str, float | Limit] = field(default_factory=dict)
    audit: str = "audit"

    def __post_init__(self) -> None:
        positive = ("ttl_ms", "stale_ms", "stall_ms", "lease_ms", "hold_ms", "max_rate_hz")
        for name in (*positive, "flat_ms"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if self.saturated_at is not None and not self.saturated_at > 0:
            raise ValueError(f"saturated_at must be positive, not {self.saturated_at!r}")
        for name in ("min_confidence", "max_bad_channels"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies within 0 and 1, not {getattr(self, name)!r}")
        if not math.isfinite(self.open_value):
            raise ValueError(f"open_value must be finite, not {self.open_value!r}")
