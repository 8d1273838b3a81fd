"""The second layer: what the web process lets through, and what it says for an engine that cannot.

It knows nothing of brains and little of sessions: only what was said last, which leases are not to
be trusted any more, and how old a command may be. So it holds when the engine is stopped, hangs,
dies, or wakes up with words of half a minute ago. Pure: times are given to it.
"""

from __future__ import annotations

import msgspec

from bci_server.safety.motion import toward
from bci_server.wire import CommandMessage, Ledger, NeutralReason, Quality

__all__ = ["SecondGate"]

_NEUTRAL_TTL_MS = 100.0


class SecondGate:
    """Follows the commands of one session on their way to clients."""

    def __init__(self) -> None:
        self._last: CommandMessage | None = None
        self._last_s = 0.0
        self._closed_for: NeutralReason = ""
        self._reason: NeutralReason = "disarmed"
        self._newest = 0
        self._withheld = 0
        self._has_spoken = False  # itself, so that the engine does not know where effectors are

    @property
    def is_braking(self) -> bool:
        """Whether effectors are still on their way to where neutral leads to."""
        last = self._last
        if last is None or last.mode != "neutral" or not last.rest:
            return False
        return bool(last.values) and last.values != last.rest

    def begin(self) -> None:
        """Take in that another engine speaks now, whose leases have other numbers."""
        self._closed_for = ""
        self._newest = self._withheld = 0

    def close(self, reason: NeutralReason) -> None:
        """Let nothing that moves through until the engine has disarmed."""
        self._closed_for = self._reason = reason

    def given(self, lease: int) -> None:
        """Take in that a lease was given: an engine that was lost heeds again what it is asked."""
        if self._closed_for != "stopped":
            self._closed_for = ""
            self._withheld = lease - 1

    def take(self, message: CommandMessage, now_s: float) -> CommandMessage:
        """Return what goes to clients for a command of the engine's."""
        self._newest = max(self._newest, message.lease)
        if message.armed:
            if self._closed_for or message.lease <= self._withheld:
                return self._neutral(message, self._reason, message.quality, now_s)
            if 1e3 * (now_s - message.ledger.decoded_s) > message.ttl_ms:
                return self._neutral(message, "stale", message.quality, now_s, is_armed=True)
        elif self._closed_for:
            self._closed_for, self._withheld = "", self._newest
        if message.mode == "neutral" or self._has_spoken:
            message = self._eased(message, now_s)
        self._last, self._last_s = message, now_s
        return message

    def neutral(
        self, reason: NeutralReason, quality: Quality, now_s: float
    ) -> CommandMessage | None:
        """Return what goes to clients because the engine cannot say it; None: it never spoke."""
        if self._last is None:
            return None
        return self._neutral(self._last, reason, quality, now_s)

    def _neutral(
        self,
        message: CommandMessage,
        reason: NeutralReason,
        quality: Quality,
        now_s: float,
        is_armed: bool = False,
    ) -> CommandMessage:
        last = self._last or message
        values = _on_the_way(last, now_s - self._last_s)
        self._last_s, self._has_spoken = now_s, True
        self._last = msgspec.structs.replace(
            message,
            mode="neutral",
            names=last.names if values else (),
            values=values,
            decoded=(),
            confidence=0.0,
            ttl_ms=_NEUTRAL_TTL_MS,
            armed=is_armed,
            lease=message.lease if is_armed else 0,
            safety="hold" if is_armed else "stop" if reason == "stopped" else "disarmed",
            reason=reason,
            quality=quality,
            ledger=Ledger(message.ledger.sampled_s, now_s, now_s),
        )
        return self._last

    def _eased(self, message: CommandMessage, now_s: float) -> CommandMessage:
        """Return a command that follows what was said last no faster than it may.

        A neutral one brakes no harder, and speeds nothing up again. One that moves goes on from
        what this gate has said itself, until both agree.
        """
        last = self._last
        if last is None or not last.rest:
            return message
        if not len(last.values) == len(last.rest) == len(last.slopes):
            return message
        elapsed_s = now_s - self._last_s
        if message.mode != "neutral":
            return self._caught_up(message, last, elapsed_s, now_s)
        hardest = _on_the_way(last, elapsed_s)
        said = message.values if len(message.values) == len(hardest) else hardest
        values = tuple(
            min(max(value, min(told, most)), max(told, most))
            for value, told, most in zip(said, last.values, hardest, strict=True)
        )
        if values == message.values:
            return message
        self._has_spoken = True
        return msgspec.structs.replace(
            message,
            names=last.names,
            values=values,
            rest=last.rest,
            slopes=last.slopes,
            ledger=_said_at(message, now_s),
        )

    def _caught_up(
        self, message: CommandMessage, last: CommandMessage, elapsed_s: float, now_s: float
    ) -> CommandMessage:
        if last.names != message.names or len(message.slopes) != len(message.names):
            return message
        values = tuple(
            toward(told, value, slope * elapsed_s)
            for told, value, slope in zip(last.values, message.values, message.slopes, strict=True)
        )
        self._has_spoken = values != message.values
        if not self._has_spoken:
            return message
        ledger = _said_at(message, now_s)
        return msgspec.structs.replace(message, values=values, ledger=ledger)


def _said_at(message: CommandMessage, now_s: float) -> Ledger:
    return Ledger(message.ledger.sampled_s, message.ledger.received_s, now_s)


def _on_the_way(last: CommandMessage, elapsed_s: float) -> tuple[float, ...]:
    """Return the values that lead from what was said last to where neutral leads to."""
    if not last.rest:
        # A velocity without more to go by stops; anything else stays where it is.
        return (0.0,) * len(last.values) if last.mode in ("velocity", "neutral") else ()
    if not len(last.values) == len(last.rest) == len(last.slopes):
        return last.rest if last.values else ()
    return tuple(
        toward(value, rest, slope * elapsed_s)
        for value, rest, slope in zip(last.values, last.rest, last.slopes, strict=True)
    )
