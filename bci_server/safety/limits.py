"""The ``[safety]`` section of the session file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Safety"]


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
    min_confidence
        A command of less confidence is neutral.
    """

    ttl_ms: float = 250.0
    stale_ms: float = 200.0
    stall_ms: float = 100.0
    lease_ms: float = 300.0
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        for name in ("ttl_ms", "stale_ms", "stall_ms", "lease_ms"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence lies within 0 and 1, not {self.min_confidence!r}")
