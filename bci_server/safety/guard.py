"""The gate, the lease and what both must remember of one session, as the loop uses them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import msgspec

from bci_server.control import (
    Answer,
    ArmLease,
    ClearStop,
    DisarmLease,
    GiveStimulus,
    RenewLease,
    StopNow,
)
from bci_server.safety.gate import Gated, Shape, Situation, gate, rest_of
from bci_server.safety.lease import Lease, LeaseRefused
from bci_server.safety.limits import Bound, Safety
from bci_server.safety.motion import Motion, at_rest
from bci_server.safety.states import safety_state
from bci_server.wire import (
    CommandMessage,
    DecoderName,
    Ledger,
    NeutralReason,
    Quality,
    SafetyState,
    SessionState,
)
from decoders.output import Command
from devices.clock import Clock

__all__ = ["Audit", "Guard", "LeaseControl", "Stimulated", "Transition"]

LeaseControl = ArmLease | RenewLease | DisarmLease | StopNow | ClearStop

_TRAIN = ("electrode", "amplitude_ua", "pulse_width_us", "rate_hz", "duration_s")
_BURST_S = 0.5
"""So many seconds of commands may come at once: the network may have held them back."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """The gate stands elsewhere than before, or another lease was given.

    Parameters
    ----------
    time_s
        When, on the monotonic clock.
    state, was
        Where it stands, and stood.
    reason
        What spoke against a command; or what was asked, if somebody asked.
    who
        Who holds or held the lease, or asked.
    sample
        The newest sample by then.
    lease
        Number of the lease, while there is one.
    limits
        Of a lease that was just given.
    """

    time_s: float
    state: SafetyState
    was: SafetyState
    reason: str
    who: str
    sample: int
    lease: int
    limits: dict[str, dict[str, float]] = {}


class Stimulated(msgspec.Struct, frozen=True, kw_only=True):
    """A train of pulses was ordered, or all were ended.

    Parameters
    ----------
    time_s
        When, on the monotonic clock.
    who
        Who ordered it; or who held the lease whose end ends all trains.
    sample
        The newest sample by then.
    lease
        Number of the lease.
    electrode
        Its name; empty: all trains are ended.
    amplitude_ua, pulse_width_us, rate_hz, duration_s
        Of the train.
    """

    time_s: float
    who: str
    sample: int
    lease: int
    electrode: str = ""
    amplitude_ua: float = 0.0
    pulse_width_us: float = 0.0
    rate_hz: float = 0.0
    duration_s: float = 0.0


class Audit(Protocol):
    """Keeps every transition and stimulus: `bci_server.safety.audit.AuditLog`."""

    @property
    def failure(self) -> str:
        """Why transitions are kept no longer; empty while they are."""

    def note(self, what: Transition | Stimulated) -> None:
        """Take one; return at once."""


class Guard:
    """Turns what the decoder says into what may go out.

    Parameters
    ----------
    shape
        What the session's commands look like; None for a session that gives none.
    safety
        The rules of the session file.
    decoder
        Named in every message.
    clock
        The clock that leases last on.
    audit
        Is told every transition and stimulus. Where it fails, nothing moves and nothing is felt.

    Attributes
    ----------
    decoder
        Named in every message.
    lease
        Who is armed.
    state
        Where the gate stands.
    fault
        What has latched; empty: nothing.
    """

    def __init__(
        self,
        shape: Shape | None,
        safety: Safety,
        decoder: DecoderName,
        clock: Clock,
        audit: Audit | None = None,
    ) -> None:
        self._shape = shape
        self._safety = safety
        self.decoder = decoder
        self._clock = clock
        self._audit = audit
        names, mode = ((), "velocity") if shape is None else (shape.names, shape.mode)
        self._rest = () if shape is None else rest_of(shape, safety)
        self.lease = Lease(names, safety.lease_ms, clock, mode, safety.limits)
        self.state: SafetyState = "disarmed"
        self.fault: NeutralReason = ""
        now_s = clock.now()
        self._noted_lease = self.lease.number
        self._held_since_s = now_s
        self._told_s = now_s
        self._burst = max(2.0, _BURST_S * safety.max_rate_hz)
        self._allowance = self._burst
        self._last_sample = -1
        self._motion: Motion | None = None

    @property
    def is_braking(self) -> bool:
        """Whether the effector is on its way to where neutral leads to."""
        if self._motion is None or not self._rest or self.state == "active":
            return False
        return self._motion.values not in (None, self._rest)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What has latched."""
        stopped = ("stopped",) if self.lease.stopped else ()
        return (*stopped, self.fault) if self.fault else stopped

    def message(
        self,
        command: Command | None,
        state: SessionState,
        quality: Quality,
        age_ms: float,
        sample: int,
        ledger: Ledger,
        is_same_stream: bool = True,
    ) -> CommandMessage | None:
        """Return what goes out for `command`; None for a session that gives no commands."""
        if self._shape is None:
            return None
        now_s = self._clock.now()
        elapsed_s = now_s - self._told_s
        if self._audit is not None and self._audit.failure:
            self.fault = self.fault or "audit_failed"
        if self.fault:
            self.lease.drop()
        self._end_a_long_hold(now_s)
        self._allowance = min(self._burst, self._allowance + elapsed_s * self._safety.max_rate_hz)
        situation = Situation(
            state=state,
            age_ms=age_ms,
            quality=quality,
            stopped=self.lease.stopped,
            fault=self.fault,
            limits=self.lease.limits(),
            is_same_stream=is_same_stream,
            sample=sample,
            last_sample=self._last_sample,
            allowance=self._allowance,
            motion=self._motion,
            elapsed_s=elapsed_s,
        )
        gated = gate(command, self._shape, situation, self._safety)
        self._told_s = now_s
        self._motion = gated.motion
        if command is not None:
            self._last_sample = sample
            self._allowance = max(0.0, self._allowance - 1.0)
        if gated.is_fault:
            self.fault = gated.reason
            self.lease.drop()
        self._stand(gated.reason, gated.armed and not gated.is_fault, sample, now_s)
        return self._message(gated, quality, sample, ledger)

    def control(self, control: LeaseControl, state: SessionState) -> Answer:
        """Do what a client asks of the lease, or say why not."""
        lease = self.lease
        try:
            match control:
                case ArmLease():
                    self._arm(control, state)
                case RenewLease():
                    lease.renew(control.holder)
                case DisarmLease():
                    lease.disarm(control.holder)
                case StopNow():
                    lease.stop()
                    self._note("stop", "asked to stop", control.holder)
                case ClearStop():
                    self._clear(control.holder)
        except LeaseRefused as e:
            return Answer(call=control.call, ok=False, error=e.cause, fix=e.fix)
        if lease.limits() is None:
            return Answer(call=control.call, ok=True)
        return Answer(call=control.call, ok=True, lease_ms=lease.lease_ms, lease=lease.number)

    def fail(self) -> None:
        """Latch that the decoder said what cannot be, on another topic than commands."""
        self.fault = self.fault or "decoder_failed"
        self.lease.drop()
        if self.state not in ("fault", "stop"):
            self._note("fault", self.fault, self.lease.holder)

    def disarm(self) -> None:
        """Take the lease from whoever has it: what moved until now is not what moves next."""
        self.lease.drop()

    def check_audited(self) -> None:
        """Make sure that what happens is kept.

        Raises
        ------
        LeaseRefused
            It is not.
        """
        if self._audit is not None and self._audit.failure:
            raise LeaseRefused(
                f"what happens cannot be audited: {self._audit.failure}",
                "make room, or set [safety] audit to a folder that can be written",
            )

    def stimulated(self, asked: GiveStimulus | None, sample: int) -> None:
        """Keep that a train was ordered; None: that all were ended."""
        if self._audit is None:
            return
        train = {} if asked is None else {name: getattr(asked, name) for name in _TRAIN}
        self._audit.note(
            Stimulated(
                time_s=self._clock.now(),
                who=self.lease.holder if asked is None else asked.holder,
                sample=sample,
                lease=self.lease.number,
                **train,
            )
        )

    def _arm(self, asked: ArmLease, state: SessionState) -> None:
        if self.fault:
            raise LeaseRefused(
                f"a fault has latched: {self.fault}", "see what caused it, then clear it"
            )
        self.check_audited()
        self.lease.arm(asked.holder, asked.limits, state)
        limits = self.lease.limits() or {}
        bounds = tuple(limits.values())
        assert self._shape is not None, "a session without commands is not armed"
        before, motion = self._motion, at_rest(bounds, self._shape.mode)
        if before is not None:  # it is where it was told to be, whoever told it
            motion = Motion(
                before.values, before.rates, motion.places, before.since_click_s, bounds
            )
        self._motion = motion
        self._note("armed", "asked to arm", asked.holder, limits)

    def _clear(self, who: str) -> None:
        self.lease.clear()
        self.fault = ""
        if self.state in ("stop", "fault"):
            self._note("disarmed", "cleared", who)

    def _end_a_long_hold(self, now_s: float) -> None:
        if self.state == "hold" and now_s - self._held_since_s >= 1e-3 * self._safety.hold_ms:
            self.lease.drop()

    def _stand(self, reason: NeutralReason, armed: bool, sample: int, now_s: float) -> None:
        state = safety_state(self.state, reason, armed)
        if state == self.state:
            return
        if state == "hold":
            self._held_since_s = now_s
        self._note(state, reason, self.lease.holder, sample=sample)

    def _note(
        self,
        state: SafetyState,
        reason: str,
        who: str,
        limits: Mapping[str, Bound] | None = None,
        sample: int | None = None,
    ) -> None:
        was, self.state = self.state, state
        if self._audit is not None:
            self._audit.note(
                Transition(
                    time_s=self._clock.now(),
                    state=state,
                    was=was,
                    reason=reason,
                    who=who,
                    sample=self._last_sample if sample is None else sample,
                    lease=self.lease.number if state in ("armed", "active", "hold") else 0,
                    limits={name: _said(b) for name, b in (limits or {}).items()},
                )
            )

    def _message(
        self, gated: Gated, quality: Quality, sample: int, ledger: Ledger
    ) -> CommandMessage:
        armed = gated.armed and not gated.is_fault
        motion = gated.motion
        return CommandMessage(
            topic="commands",
            sample=sample,
            ledger=Ledger(ledger.sampled_s, ledger.received_s, self._told_s),
            quality=quality,
            decoder=self.decoder,
            mode=gated.mode,
            names=gated.names,
            values=gated.values,
            unit=gated.unit,
            confidence=gated.confidence,
            ttl_ms=self._safety.ttl_ms,
            armed=armed,
            reason=gated.reason,
            decoded=gated.decoded,
            safety=self.state,
            lease=self.lease.number if armed else 0,
            rest=gated.rest,
            slopes=() if motion is None else tuple(b.slope for b in motion.bounds),
        )


def _said(b: Bound) -> dict[str, float]:
    """Return what limits there are; JSON knows no infinity."""
    every = {"value": b.largest, "slope": b.slope, "bend": b.bend, "low": b.low, "high": b.high}
    return {name: value for name, value in every.items() if math.isfinite(value)}
