"""The gate and the lease of one session, as the loop uses them."""

from __future__ import annotations

from bci_server.control import (
    Answer,
    ArmLease,
    ClearStop,
    DisarmLease,
    RenewLease,
    StopNow,
)
from bci_server.safety.gate import Shape, Situation, gate
from bci_server.safety.lease import Lease, LeaseRefused
from bci_server.safety.limits import Safety
from bci_server.wire import CommandMessage, DecoderName, Ledger, Quality, SessionState
from decoders.output import Command
from devices.clock import Clock

__all__ = ["Guard", "LeaseControl"]

LeaseControl = ArmLease | RenewLease | DisarmLease | StopNow | ClearStop


class Guard:
    """Turns what the decoder says into what may go out.

    Parameters
    ----------
    shape
        What the session's commands look like; None for a session that gives none.
    safety
        The limits of the session file.
    decoder
        Named in every message.
    clock
        The clock that leases last on.

    Attributes
    ----------
    lease
        Who is armed.
    """

    def __init__(
        self, shape: Shape | None, safety: Safety, decoder: DecoderName, clock: Clock
    ) -> None:
        self._shape = shape
        self._safety = safety
        self._decoder = decoder
        self.lease = Lease(() if shape is None else shape.names, safety.lease_ms, clock)

    def message(
        self,
        command: Command | None,
        state: SessionState,
        quality: Quality,
        age_ms: float,
        sample: int,
        ledger: Ledger,
    ) -> CommandMessage | None:
        """Return what goes out for `command`; None for a session that gives no commands."""
        if self._shape is None:
            return None
        lease, safety = self.lease, self._safety
        situation = Situation(state, age_ms, quality, lease.stopped, lease.limits())
        gated = gate(command, self._shape, situation, safety.stale_ms, safety.min_confidence)
        return CommandMessage(
            topic="commands",
            sample=sample,
            ledger=ledger,
            quality=quality,
            decoder=self._decoder,
            mode=gated.mode,
            names=gated.names,
            values=gated.values,
            unit=gated.unit,
            confidence=gated.confidence,
            ttl_ms=safety.ttl_ms,
            armed=gated.armed,
            reason=gated.reason,
            decoded=gated.decoded,
        )

    def control(self, control: LeaseControl, state: SessionState) -> Answer:
        """Do what a client asks of the lease, or say why not."""
        lease = self.lease
        try:
            match control:
                case ArmLease():
                    lease.arm(control.holder, control.limits, state)
                case RenewLease():
                    lease.renew(control.holder)
                case DisarmLease():
                    lease.disarm(control.holder)
                case StopNow():
                    lease.stop()
                case ClearStop():
                    lease.clear()
        except LeaseRefused as e:
            return Answer(call=control.call, ok=False, error=e.cause, fix=e.fix)
        armed = lease.limits() is not None
        return Answer(call=control.call, ok=True, lease_ms=lease.lease_ms if armed else None)
