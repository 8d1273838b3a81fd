"""Where a session is, as seen from outside its engine: a state machine without I/O.

::

    idle → starting → running ⇄ stalled → ended | failed(reason)

The engine says its own state; what it cannot say is that it died or hangs. The mirror puts both
together. It never shows a session in a state that no path leads to.
"""

from __future__ import annotations

from dataclasses import dataclass

from bci_server.wire import NeutralReason, SessionState

__all__ = ["IllegalTransition", "Mirror", "Phase"]

_NEXT: dict[SessionState, frozenset[SessionState]] = {
    "idle": frozenset({"starting", "failed"}),
    "starting": frozenset({"running", "stalled", "ended", "failed", "idle"}),
    "running": frozenset({"stalled", "ended", "failed", "idle"}),
    "stalled": frozenset({"running", "ended", "failed", "idle"}),
    "ended": frozenset({"starting", "idle"}),
    "failed": frozenset({"starting", "idle"}),
}

_NEUTRAL: dict[SessionState, NeutralReason] = {
    "idle": "ended",
    "starting": "starting",
    "running": "",
    "stalled": "stalled",
    "ended": "ended",
    "failed": "failed",
}


class IllegalTransition(Exception):
    """No path leads from the one state to the other: a defect in whoever reported it."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A state, and the reason for it where there is one.

    Parameters
    ----------
    lost
        The engine is gone without a word, or is silent. What it commanded last must not stand.
    """

    state: SessionState = "idle"
    reason: str = ""
    lost: bool = False

    @property
    def neutral_reason(self) -> NeutralReason:
        """Why no command may stand in this phase; empty when one may."""
        return "engine_lost" if self.lost else _NEUTRAL[self.state]


class Mirror:
    """Follows one session from outside. Not thread-safe.

    Attributes
    ----------
    phase
        Where the session is now.
    """

    def __init__(self) -> None:
        self.phase = Phase()

    def says(self, state: SessionState, reason: str = "") -> Phase:
        """Take in what the engine says of itself; a silent engine that speaks is back.

        A new engine's first word may find the mirror anywhere; call `restarted` before it.

        Raises
        ------
        IllegalTransition
            No path leads there.
        """
        if state != self.phase.state and state not in _NEXT[self.phase.state]:
            raise IllegalTransition(f"a session cannot go from {self.phase.state} to {state}")
        self.phase = Phase(state, reason)
        return self.phase

    def restarted(self) -> Phase:
        """Take in that a new engine was started, whatever became of the last one."""
        self.phase = Phase("starting")
        return self.phase

    def silent(self) -> Phase:
        """Take in that the engine has said nothing for too long: it hangs or was stopped.

        An engine that is still starting may be busy; one that has ended owes no word.
        """
        if self.phase.state in ("running", "stalled"):
            self.phase = Phase(self.phase.state, "the engine does not answer", lost=True)
        return self.phase

    def gone(self, said_goodbye: bool, reason: str = "the engine died") -> Phase:
        """Take in that the line to the engine broke.

        Parameters
        ----------
        said_goodbye
            It ended because it wanted to; its last status tells in which state.
        reason
            What is known about its death.
        """
        if not said_goodbye and self.phase.state in ("starting", "running", "stalled"):
            self.phase = Phase("failed", reason, lost=True)
        return self.phase

    def stopped(self) -> Phase:
        """Take in that somebody asked for the session to be stopped, and it has."""
        self.phase = Phase()
        return self.phase
