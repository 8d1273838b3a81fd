"""Who may move the effector, and how far: one client at a time, for as long as it says so.

Disarmed at first. `arm` needs a limit for every command and gives a lease that ends by itself
unless it is renewed. Whatever could surprise whoever holds it (a stall, a fault, another model, a
lost web process) ends it. `stop` latches: nothing arms until `clear`, and `clear` arms nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from bci_server.wire import SessionState
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

    Attributes
    ----------
    stopped
        Somebody said stop, and nobody has cleared it.
    """

    def __init__(self, names: tuple[str, ...], lease_ms: float, clock: Clock) -> None:
        self._names = names
        self._clock = clock
        self.lease_ms = lease_ms
        self.stopped = False
        self._holder: str | None = None
        self._ends_s = -math.inf
        self._limits: Mapping[str, float] = {}

    def limits(self) -> Mapping[str, float] | None:
        """Return the limits of the lease in force; None when nobody is armed."""
        if self._holder is not None and self._clock.now() >= self._ends_s:
            self._holder = None
        return None if self._holder is None else self._limits

    def arm(self, holder: str, limits: Mapping[str, float] | None, state: SessionState) -> None:
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
        self._check(limits or {})
        if self.limits() is not None and holder != self._holder:
            raise LeaseRefused("another client holds the lease", "wait until it lets go")
        self._holder = holder
        self._limits = dict(limits or {})
        self._extend()

    def renew(self, holder: str) -> None:
        """Let the lease of `holder` begin anew.

        Raises
        ------
        LeaseRefused
            It has no lease, or no longer.
        """
        if self.limits() is None or holder != self._holder:
            raise LeaseRefused("there is no lease to renew", "arm again")
        self._extend()

    def disarm(self, holder: str) -> None:
        """Take the lease from `holder`, if it has it."""
        if holder == self._holder:
            self._holder = None

    def drop(self) -> None:
        """Take the lease from whoever has it."""
        self._holder = None

    def stop(self) -> None:
        """Latch the stop; ends the lease."""
        self.stopped = True
        self._holder = None

    def clear(self) -> None:
        """Lift the stop. Nobody is armed after it."""
        self.stopped = False

    def _extend(self) -> None:
        self._ends_s = self._clock.now() + 1e-3 * self.lease_ms

    def _check(self, limits: Mapping[str, float]) -> None:
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
        if bad := [n for n, limit in limits.items() if not (math.isfinite(limit) and limit > 0)]:
            raise LeaseRefused(
                f"the limit of {', '.join(bad)} is not a positive number", "give one that is"
            )
