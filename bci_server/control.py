"""What the web process asks of an engine and of the supervisor, and what they answer.

Three processes, two kinds of line, one framing (`bci_server.link`)::

    web → engine       Control                      engine → web       EngineMessage
    web → supervisor   Request                      supervisor → web   SupervisorMessage

Every control and request carries a number, `call`; its one `Answer` carries the same. Data
messages come from the engine as the types of `bci_server.wire`, with `seq` and `published_s`
still 0: the hub numbers and stamps them, since it alone knows what it published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from bci_server.calls import Limit
from bci_server.wire import DataMessage, SessionState
from devices.signal import EventKind

__all__ = [
    "Answer",
    "ArmLease",
    "ClearStop",
    "Control",
    "Controls",
    "DisarmLease",
    "EngineMessage",
    "GiveStimulus",
    "Goodbye",
    "Heartbeat",
    "LoadModel",
    "Mark",
    "RenewLease",
    "Request",
    "RestartSession",
    "SeekReplay",
    "SessionRecord",
    "Sessions",
    "Shutdown",
    "StartRecording",
    "StartSession",
    "SteerReplay",
    "StopNow",
    "StopRecording",
    "StopSession",
    "SupervisorMessage",
    "WatchSignal",
    "WebLost",
]


class _Called(msgspec.Struct, tag_field="type", frozen=True, kw_only=True):
    """Something that is answered. The link fills in `call`."""

    call: int = 0


class ArmLease(_Called, frozen=True, kw_only=True, tag="arm"):
    """Let `holder` move the effector.

    Parameters
    ----------
    holder
        Who asks: one name for each client connection.
    limits
        How far and how fast each command may go.
    """

    holder: str
    limits: dict[str, float | Limit] | None = None


class RenewLease(_Called, frozen=True, kw_only=True, tag="renew"):
    """Keep the lease for another term."""

    holder: str


class DisarmLease(_Called, frozen=True, kw_only=True, tag="disarm"):
    """Give the lease back; also said by the web process when the holder's connection closes.

    An empty `holder` takes it from whoever has it.
    """

    holder: str


class StopNow(_Called, frozen=True, kw_only=True, tag="stop"):
    """Stop, and stay stopped."""

    holder: str


class ClearStop(_Called, frozen=True, kw_only=True, tag="clear"):
    """Lift a stop or a fault; the session is left disarmed."""

    holder: str = ""


class Mark(_Called, frozen=True, kw_only=True, tag="mark"):
    """Something happened; the answer says at which sample. See `devices.signal.Event`.

    `sample` says of which sample it is said; none: it happened now.
    """

    label: str
    source: str = "client"
    kind: EventKind = "marker"
    values: tuple[float, ...] = ()
    sample: int | None = None


class GiveStimulus(_Called, frozen=True, kw_only=True, tag="stimulate"):
    """Send a train of pulses to the stimulator; `holder` must be armed."""

    holder: str
    electrode: str
    amplitude_ua: float
    pulse_width_us: float
    rate_hz: float
    duration_s: float


class WatchSignal(_Called, frozen=True, kw_only=True, tag="watch_signal"):
    """Somebody wants to see the samples, at about `rate_hz`; None: nobody does any longer."""

    rate_hz: float | None = None


class StartRecording(_Called, frozen=True, kw_only=True, tag="start_recording"):
    """Record from now on, into a new file; the answer says which."""


class StopRecording(_Called, frozen=True, kw_only=True, tag="stop_recording"):
    """End the recording; the answer says which file it is."""


class SteerReplay(_Called, frozen=True, kw_only=True, tag="steer_replay"):
    """Let a replay stand still or go on, faster or slower; what is None stays as it is."""

    paused: bool | None = None
    speed: float | None = None


class Shutdown(_Called, frozen=True, kw_only=True, tag="shutdown"):
    """End the engine in good order."""


Control = (
    ArmLease
    | RenewLease
    | DisarmLease
    | StopNow
    | ClearStop
    | Mark
    | GiveStimulus
    | WatchSignal
    | StartRecording
    | StopRecording
    | SteerReplay
    | Shutdown
)


@dataclass(frozen=True, slots=True)
class WebLost:
    """Instead of a control: the web process is gone. Nobody could say stop: nobody stays armed."""


class Answer(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="answer"):
    """What became of a control or a request. `error` and `fix` are for the user."""

    call: int
    ok: bool
    error: str | None = None
    fix: str | None = None
    sample: int | None = None
    lease_ms: float | None = None
    lease: int | None = None
    file: str | None = None


class Controls(Protocol):
    """What is asked of the loop from outside."""

    def take(self) -> Control | WebLost | None:
        """Return the oldest control that waits; None at once if there is none."""

    def answer(self, answer: Answer) -> None:
        """Answer one; return at once. May be called from any thread."""


class Heartbeat(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="heartbeat"):
    """The loop turns. Sent when it said nothing else for a while."""


class Goodbye(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="goodbye"):
    """The engine's last message: it ends because it wants to, in this state."""

    state: SessionState
    reason: str = ""


EngineMessage = DataMessage | Answer | Heartbeat | Goodbye


class StartSession(_Called, frozen=True, kw_only=True, tag="start_session"):
    """Start the engine of a session, if it does not run."""

    session: str


class StopSession(_Called, frozen=True, kw_only=True, tag="stop_session"):
    """End the engine of a session."""

    session: str


class RestartSession(_Called, frozen=True, kw_only=True, tag="restart_session"):
    """End the engine of a session, if it runs, and start a new one."""

    session: str


class LoadModel(_Called, frozen=True, kw_only=True, tag="load_model"):
    """Restart a session with another model; it comes back disarmed."""

    session: str
    model: str


class SeekReplay(_Called, frozen=True, kw_only=True, tag="seek_replay"):
    """Restart a session on a replay from another place of its recording, in seconds."""

    session: str
    start_s: float


Request = StartSession | StopSession | RestartSession | LoadModel | SeekReplay


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One session as the supervisor sees it.

    Parameters
    ----------
    name, file
        The session, and the file it is described in.
    socket
        Where the engine listens. The supervisor holds this socket: one can connect at any time,
        and is served as soon as an engine runs.
    process
        ``"exited"`` says that the engine ended by itself; `reason` says how.
    run
        Counts the engines that were started for this session.
    pid
        The engine's process id, while it runs.
    """

    name: str
    file: str
    socket: str
    process: Literal["stopped", "running", "exited"]
    run: int = 0
    pid: int | None = None
    reason: str = ""


class Sessions(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, tag="sessions"):
    """All sessions. Sent when the web process starts, and after every change."""

    sessions: tuple[SessionRecord, ...]


SupervisorMessage = Answer | Sessions
