"""Who speaks in the messages of a session, and how its loop ended."""

from __future__ import annotations

from dataclasses import dataclass

from bci_server.wire import DecoderName, SessionState

__all__ = ["About", "Ending"]


@dataclass(frozen=True, slots=True)
class About:
    """What the messages of a session say about it.

    Parameters
    ----------
    session, device
        Names.
    decoder
        The decoder, its version and its weights' hash.
    scheduling
        ``"fifo"``, ``"nice"`` or ``"normal"``.
    adapts
        The decoder learns while it runs.
    """

    session: str
    device: str
    decoder: DecoderName
    scheduling: str = "normal"
    adapts: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How the loop ended.

    Parameters
    ----------
    state
        ``"ended"`` or ``"failed"``.
    reason
        For the user.
    trace
        Where it failed, if that was a defect of ours or a plug-in's; for the log only.
    """

    state: SessionState
    reason: str
    trace: str = ""
