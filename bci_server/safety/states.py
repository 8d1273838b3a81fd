"""Where the gate stands: a state machine without I/O.

::

    DISARMED → ARMED → ACTIVE ⇄ HOLD        a lease; a command stood; for a moment none may
        ↑________|________|______|          the lease ends, or nobody knows why it should go on
    FAULT, STOP                             latched: only `clear` leaves them, to DISARMED

The worst wins: STOP, FAULT, DISARMED, HOLD, ARMED, ACTIVE.
"""

from __future__ import annotations

from bci_server.wire import NeutralReason, SafetyState

__all__ = ["FAULTS", "safety_state"]

FAULTS: frozenset[NeutralReason] = frozenset(
    {"other_stream", "decoder_failed", "out_of_order", "audit_failed"}
)
"""What latches: no time that passes makes it good."""


def safety_state(was: SafetyState, reason: NeutralReason, is_armed: bool) -> SafetyState:
    """Return where the gate stands after a command.

    Parameters
    ----------
    was
        Where it stood before.
    reason
        What spoke against the command most; empty: nothing did.
    is_armed
        Somebody holds the lease.
    """
    if reason == "stopped":
        return "stop"
    if reason in FAULTS or reason == "failed":
        return "fault"
    if not is_armed:
        return "disarmed"
    if reason == "":
        return "active"
    return "hold" if was in ("active", "hold") else "armed"
