"""Who may move the effector, and how far: one client at a time, for as long as it says so.

Disarmed at first. `arm` needs a limit for every command and gives a lease that ends by itself
unless it is renewed. Whatever could surprise whoever holds it (a stall, a fault, another model, a
lost web process) ends it. `stop` latches: nothing arms until `clear`, and `clear` arms nothing.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping

from bci_server.calls import Limit
from bci_server.safety.limits import Bound, bound
from bci_server.wire import SessionState
from decoders.output import Mode
from devices.clock import Clock

__all__ = ["Lease", "LeaseRefused"]


class LeaseRefused(Exception):
    """The lease is not given or kept.

    Parameters
    ----------
    cause, fix
        For the client: why not, and what to do.
    """

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(f"{cause}; {fix}")
        self.cause = cause
        self.fix = fix


class Lease:
    """The lease of one session. Not thread-safe: the loop's thread owns it.

    Parameters
    ----------
    names
        The commands that the session can give; each needs a limit.
    lease_ms
        How long a lease lasts without being renewed.
    clock
        The clock it lasts on.
    mode
        What the commands' values mean.
    most
        The session's own limits: nobody is given more, and who names none gets these.

    Attributes
    ----------
    stopped
        Somebody said stop, and nobody has cleared it.
    number
        Of the lease given last; begins anywhere, so that no two runs of a session share one.
    holder
        Who had it last.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        lease_ms: float,
        clock: Clock,
        mode: Mode = "velocity",
        most: Mapping[str, Limit | float] | None = None,
    ) -> None:
        self._names = names
        self._clock = clock
        self._mode: Mode = mode
        self._most = dict(most or {})
        self.lease_ms = lease_ms
        self.stopped = False
        self.number = secrets.randbits(31)
        self.holder = ""
        self._is_held = False
        self._ends_s = -math.inf
        self._bounds: Mapping[str, Bound] = {}

    def limits(self) -> Mapping[str, Bound] | None:
        """Return the limits of the lease in force; None when nobody is armed."""
        if self._is_held and self._clock.now() >= self._ends_s:
            self._is_held = False
        return self._bounds if self._is_held else None

    def arm(
        self, holder: str, limits: Mapping[str, Limit | float] | None, state: SessionState
    ) -> None:
        """Give the lease to `holder`.

        Raises
        ------
        LeaseRefused
            The session is stopped or does not run, a limit is missing or senseless, or another
            client holds the lease.
        """
        if self.stopped:
            raise LeaseRefused("the session is stopped", "clear the stop first")
        if state != "running":
            raise LeaseRefused(f"the session is {state}", "arm when it is running")
        bounds = self._checked({**self._most, **(limits or {})})
        if self.limits() is not None and holder != self.holder:
            raise LeaseRefused("another client holds the lease", "wait until it lets go")
        self._is_held = True
        self.holder = holder
        self._bounds = bounds
        self.number += 1
        self._extend()

    def renew(self, holder: str) -> None:
        """Let the lease of `holder` begin anew.

        Raises
        ------
        LeaseRefused
            It has no lease, or no longer.
        """
        if self.limits() is None or holder != self.holder:
            raise LeaseRefused("there is no lease to renew", "arm again")
        self._extend()

    def disarm(self, holder: str) -> None:
        """Take the lease from `holder`, if it has it; from whoever has it if `holder` is empty."""
        if holder in (self.holder, ""):
            self._is_held = False

    def drop(self) -> None:
        """Take the lease from whoever has it."""
        self._is_held = False

    def stop(self) -> None:
        """Latch the stop; ends the lease."""
        self.stopped = True
        self._is_held = False

    def clear(self) -> None:
        """Lift the stop. Nobody is armed after it."""
        self.stopped = False
        self._is_held = False

    def _extend(self) -> None:
        self._ends_s = self._clock.now() + 1e-3 * self.lease_ms

    def _checked(self, limits: Mapping[str, Limit | float]) -> dict[str, Bound]:
        if not self._names:
            raise LeaseRefused("the session gives no commands", "add [commands] to its file")
        if missing := [n for n in self._names if n not in limits]:
            example = ", ".join(f'"{n}": 1.0' for n in self._names)
            raise LeaseRefused(
                f"no limit for {', '.join(missing)}",
                f"give the largest absolute value of each command: {{{example}}}",
            )
        if unknown := [n for n in limits if n not in self._names]:
            raise LeaseRefused(
                f"the session has no command {', '.join(unknown)}",
                f"its commands are {', '.join(self._names)}",
            )
        return {name: self._bound(name, limits[name]) for name in self._names}

    def _bound(self, name: str, limit: Limit | float) -> Bound:
        try:
            asked = bound(limit, self._mode)
            most = bound(self._most[name], self._mode) if name in self._most else asked
        except ValueError as e:
            raise LeaseRefused(f"the limit of {name}: {e}", "give one that is") from e
        return Bound(
            min(asked.largest, most.largest),
            min(asked.slope, most.slope),
            min(asked.bend, most.bend),
            max(asked.low, most.low),
            min(asked.high, most.high),
        )
