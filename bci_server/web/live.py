"""One session as the web process has it: its hub, its line to the engine, what state it is in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import msgspec
import structlog

from bci_server.control import (
    Answer,
    Control,
    DisarmLease,
    EngineMessage,
    Goodbye,
    Heartbeat,
    SessionRecord,
    WatchSignal,
)
from bci_server.link.web_end import EngineLink, LinkLost
from bci_server.safety.second import SecondGate
from bci_server.session import IllegalTransition, Mirror, Phase
from bci_server.web.delivery import Encoded
from bci_server.web.hub import TOPICS, Hub
from bci_server.web.outbox import Listener
from bci_server.wire import (
    CommandMessage,
    Hello,
    Ledger,
    NeutralReason,
    Quality,
    SessionState,
    StatusMessage,
)
from devices.clock import MONOTONIC, Clock

__all__ = ["CAPABILITIES", "Engine", "Live", "server_name"]

CAPABILITIES = ("resume", "markers", "feedback", "arming", "signal")

_DISPLAY_RATE_HZ = 250.0
"""Rate of the signal for clients that name none."""

_BRAKE_S = 0.02
"""Time between two commands on the way to neutral."""

_log = structlog.get_logger(__name__)


class Engine(Protocol):
    """The line to an engine: `bci_server.link.web_end.EngineLink`, or a double."""

    async def run(self) -> None:
        """Keep the line up until cancelled."""

    async def call(self, control: Control, timeout_s: float = 1.0) -> Answer:
        """Ask for something and return the answer.

        Raises
        ------
        LinkLost
            There is no engine, or none that answers.
        """

    def send(self, control: Control) -> None:
        """Tell the engine something without waiting.

        Raises
        ------
        LinkLost
            There is no line.
        """


@dataclass(slots=True)
class Losses:
    """What slow clients did not get, as they were entitled not to."""

    n_replaced: int = 0
    n_dropped: int = 0

    def add(self, client: Listener) -> None:
        """Count one client's."""
        self.n_replaced += client.pending.n_replaced
        self.n_dropped += client.pending.n_dropped


class Live:
    """A session that clients can listen to, whether or not its engine runs.

    It is the `EngineListener` of its line.

    Parameters
    ----------
    record
        What the supervisor says of it.
    clock
        Stamps what is published.
    key
        Seals commands; None: they bear no seal.

    Attributes
    ----------
    status
        The engine's newest status.
    clients
        Everybody connected, subscribed or not.
    holder
        The client that armed the session last, as far as is known here.
    """

    def __init__(
        self, record: SessionRecord, clock: Clock = MONOTONIC, key: bytes | None = None
    ) -> None:
        self.name = record.name
        self.record = record
        self.hub = Hub(record.name, clock, key=key)
        self.engine: Engine = EngineLink(record.socket, self)
        self.status: StatusMessage | None = None
        self.clients: set[Listener] = set()
        self.holder: str | None = None
        self._past_losses = Losses()
        self._mirror = Mirror()
        self._watched_hz: float | None = None
        self._is_new_line = True
        self._has_spoken = False
        self._gate = SecondGate()
        self._braking: asyncio.TimerHandle | None = None
        if record.process != "stopped":
            self._mirror.restarted()
        if record.process == "exited":
            self._mirror.gone(False, record.reason or "the engine ended")

    @property
    def phase(self) -> Phase:
        """Where the session is."""
        return self._mirror.phase

    @property
    def state(self) -> SessionState:
        """Where the session is, in one word for clients: one that does not answer has stalled."""
        phase = self.phase
        return "stalled" if phase.lost and phase.state == "running" else phase.state

    def losses(self) -> Losses:
        """Return what slow clients did not get, those that have left too."""
        losses = replace(self._past_losses)
        for client in self.clients:
            losses.add(client)
        return losses

    def hello(self) -> Hello:
        """Return what every client is told first, and again when the epoch changes."""
        return Hello(
            protocol="bci.v1",
            server=server_name(),
            session=self.name,
            epoch=self.hub.epoch,
            clock_s=self.hub.clock.now(),
            topics=TOPICS,
            capabilities=CAPABILITIES,
        )

    # what the engine says

    def connected(self) -> None:
        """Take in that there is a new line; its first message starts a new epoch."""
        self._is_new_line = True

    def message(self, message: EngineMessage) -> None:
        """Pass on what the engine says."""
        if isinstance(message, Answer | Heartbeat | Goodbye):
            return
        if self._is_new_line:
            self._begin()
        if isinstance(message, StatusMessage):
            self._says(message)
        elif self.phase.lost:
            self._mirror.says(self.phase.state)
        if isinstance(message, CommandMessage):
            self._unbrake()
            message = self._gate.take(message, self.hub.clock.now())
        self.hub.publish(message)

    def silent(self) -> None:
        """Take in that the engine hangs: effectors go neutral, and it wakes up disarmed."""
        if self._mirror.silent().lost:
            self._gate.close("engine_lost")
            self._disarm()
            self._stand_still()

    def lost(self, goodbye: Goodbye | None) -> None:
        """Take in that the engine is gone."""
        if goodbye is not None:
            self._follow(goodbye.state, goodbye.reason)
        self._mirror.gone(goodbye is not None, self.record.reason or "the engine died")
        self.holder = None
        if self._has_spoken:
            self._stand_still()

    # what the supervisor says

    def recorded(self, record: SessionRecord) -> None:
        """Take in what the supervisor says of the session now."""
        before, self.record = self.record, record
        if record.process == "running" and record.run != before.run:
            self._mirror.restarted()
        elif record.process == "stopped" and before.process != "stopped":
            self._mirror.stopped()
        elif record.process == "exited" and self.phase.state == "failed" and record.reason:
            self._mirror.says("failed", record.reason)
        elif record.process == "exited" and self.phase.state == "starting":
            self._mirror.gone(False, record.reason or "the engine ended while it started")
        else:
            return
        self._publish_status()

    # what clients want

    def watch(self) -> None:
        """Tell the engine at which rate somebody wants to see the signal, if that has changed."""
        rates = self.hub.rates("signal") + self.hub.rates("features")
        wanted_hz = max((rate or _DISPLAY_RATE_HZ for rate in rates), default=None)
        if wanted_hz != self._watched_hz:
            self._watched_hz = wanted_hz
            self._send(WatchSignal(rate_hz=wanted_hz))

    def stop(self) -> None:
        """Say stop before the engine agrees: effectors need not wait for it."""
        self._gate.close("stopped")
        self._say_neutral("stopped", "good")

    def given(self, holder: str, lease: int | None) -> None:
        """Take in that the engine gave a client the lease."""
        self.holder = holder
        if lease is not None:
            self._gate.given(lease)

    def left(self, client: Listener, holder: str) -> None:
        """Take in that a client has gone: it sees nothing any more, and moves nothing."""
        self.clients.discard(client)
        self._past_losses.add(client)
        self.hub.unsubscribe(client)
        self.watch()
        if self.holder == holder:
            self.holder = None
            self._send(DisarmLease(holder=holder))

    def _begin(self) -> None:
        self._is_new_line = False
        self._gate.begin()
        self._mirror.restarted()
        self.holder = None
        if self._has_spoken:
            self.hub.restart()
            hello = Encoded(self.hello())
            for client in tuple(self.clients):
                client.push(hello)
        self._has_spoken = True
        if self._watched_hz is not None:
            self._send(WatchSignal(rate_hz=self._watched_hz))

    def _says(self, status: StatusMessage) -> None:
        self._follow(status.state, status.reason)
        self.status = status

    def _follow(self, state: SessionState, reason: str) -> None:
        try:
            self._mirror.says(state, reason)
        except IllegalTransition as e:
            _log.error("engine reports an impossible state", session=self.name, cause=str(e))
            self._mirror.restarted()
            self._mirror.says(state, reason)

    def _stand_still(self) -> None:
        self._say_neutral(self.phase.neutral_reason or "engine_lost", "bad")
        self._publish_status()

    def _publish_status(self) -> None:
        now_s = self.hub.clock.now()
        last = self.status or StatusMessage(
            topic="status",
            sample=-1,
            ledger=Ledger(now_s, now_s, now_s),
            session=self.name,
            state="idle",
        )
        self.status = msgspec.structs.replace(
            last,
            state=self.state,
            reason=self.phase.reason,
            armed=False,
            quality="bad" if self.phase.lost else last.quality,
            ledger=Ledger(last.ledger.sampled_s, now_s, now_s),
        )
        self.hub.publish(self.status)

    def _disarm(self) -> None:
        self.holder = None
        self._send(DisarmLease(holder=""))  # whoever has it: nobody is trusted with it

    def _say_neutral(self, reason: NeutralReason, quality: Quality) -> None:
        """Tell every effector to go neutral, until it is; nobody, if none ever got a command."""
        self._unbrake()
        message = self._gate.neutral(reason, quality, self.hub.clock.now())
        if message is None:
            return
        self.hub.publish(message)
        if self._gate.is_braking:
            self._braking = asyncio.get_running_loop().call_later(
                _BRAKE_S, self._say_neutral, reason, quality
            )

    def _unbrake(self) -> None:
        if self._braking is not None:
            self._braking.cancel()
            self._braking = None

    def _send(self, control: Control) -> None:
        # Without an engine nothing is armed or shown; a new one is told again in `_begin`.
        with suppress(LinkLost):
            self.engine.send(control)


@cache
def server_name() -> str:
    """Return the server's name and version."""
    try:
        return f"bci-server/{version('bci-server')}"
    except PackageNotFoundError:
        return "bci-server/source"
