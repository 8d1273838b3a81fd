"""The reference effector: what whatever moves must do with commands, come what may.

`Effector` is the third layer of safety, without I/O: it is given messages and times, and says what
motors may do. It goes neutral by itself when a command's ``ttl_ms`` has passed. It takes no command
that is old, out of order, not armed or not genuine, keeps to limits of its own, and moves after a
break only on a new lease. Ask it often: `at` is what to do at that moment.

`drive` keeps one fed from a `Client`, and calls what moves::

    async with connect(url, token, session="arm") as client:
        effector = Effector(ttl_ms=150, largest={"x": 0.5}, slopes={"x": 2.0})
        await drive(client, effector, lambda moves: motor.set(moves.values))
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bci_server.client.errors import Lost
from bci_server.safety.motion import toward
from bci_server.safety.seal import is_genuine
from bci_server.wire import CommandMessage
from decoders.output import Mode

if TYPE_CHECKING:
    from bci_server.client.connection import Client

__all__ = ["Effector", "Moves", "drive"]

Why = Literal["", "nothing yet", "told", "silence", "cut off", "refused"]


@dataclass(frozen=True, slots=True)
class Moves:
    """What motors may do at one moment.

    Parameters
    ----------
    mode, names, values, unit
        The command. Neutral: velocities on their way to zero, a grasp on its way open; what is not
        named stays as it is.
    why
        Why it is neutral: ``"told"`` so, ``"silence"`` for longer than a command's life, ``"cut
        off"`` from the server, ``"refused"`` the last command. ``""`` when it moves.
    """

    mode: Mode
    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    why: Why

    @property
    def is_neutral(self) -> bool:
        """Whether nothing moves but what brakes or opens."""
        return self.mode == "neutral"


class Effector:
    """Turns the commands that arrive into what motors may do. Not thread-safe.

    Parameters
    ----------
    ttl_ms
        The longest that any command may stand, whatever it says itself.
    largest, slopes
        Limits of its own, by name: absolute value, and change a second. What is not named has
        none but the server's.
    key
        The server's command key (``BCI_COMMAND_KEY``); with it, only genuine commands count.

    Attributes
    ----------
    refused
        How many commands it did not take, by reason.
    """

    def __init__(
        self,
        ttl_ms: float = math.inf,
        largest: Mapping[str, float] | None = None,
        slopes: Mapping[str, float] | None = None,
        key: bytes | None = None,
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._ttl_ms = ttl_ms
        self._largest = dict(largest or {})
        self._slopes = dict(slopes or {})
        self._key = key
        self._session = self._epoch = ""
        self._seq = 0
        self._lease = self._barred = 0
        self._told: CommandMessage | None = None
        self._expires_s = -math.inf
        self._why: Why = "nothing yet"
        self._unit = ""
        self._values: dict[str, float] = {}
        self._rest: dict[str, float] = {}
        self._braking: dict[str, float] = {}
        self._at_s = -math.inf

    def begin(self, session: str, epoch: str) -> None:
        """Take in whose commands come now; in another epoch their numbers begin anew."""
        if (session, epoch) != (self._session, self._epoch):
            self._session, self._epoch, self._seq = session, epoch, 0
            self.cut()

    def cut(self) -> None:
        """Take in that the connection broke: neutral at once, and until somebody arms anew."""
        self._barred = self._lease
        if self._told is not None:
            self._told, self._why = None, "cut off"

    def take(self, message: CommandMessage, now_s: float, offset_s: float = 0.0) -> bool:
        """Take a command, or refuse it; say which.

        Parameters
        ----------
        message
            What came.
        now_s
            When, on this machine's monotonic clock.
        offset_s
            What is added to it to have the server's clock.
        """
        self.at(now_s)  # until now, what was told before
        reason = self._against(message, now_s + offset_s)
        if reason:
            self.refused[reason] += 1
            if reason != "out of order" and self._told is not None:
                self._told, self._why = None, "refused"
            return False
        self._seq = message.seq
        if message.mode == "neutral" or not message.armed:
            self._told, self._why = None, "told"
            return True
        self._lease, self._told, self._unit = message.lease, message, message.unit
        # Counted from when it was decided: what was under way for long stands no longer for it.
        decided_s = min(now_s, message.ledger.decoded_s - offset_s)
        self._expires_s = decided_s + 1e-3 * min(message.ttl_ms, self._ttl_ms)
        self._rest = dict(zip(message.names, message.rest, strict=False))
        self._braking = dict(zip(message.names, message.slopes, strict=False))
        self.at(now_s)
        return True

    def at(self, now_s: float) -> Moves:
        """Return what motors may do now."""
        if self._told is not None and now_s >= self._expires_s:
            self._follow(self._told, self._expires_s)
            self._told, self._why = None, "silence"
        if self._told is None:
            self._settle(now_s)
            names = tuple(name for name in self._values if name in self._rest)
            values = tuple(self._values[name] for name in names)
            return Moves("neutral", names, values, self._unit, self._why)
        self._follow(self._told, now_s)
        values = tuple(self._values[name] for name in self._told.names)
        return Moves(self._told.mode, self._told.names, values, self._unit, "")

    def expires_s(self) -> float:
        """Return when it goes neutral by itself if nothing comes before; ``inf``: it is neutral."""
        return math.inf if self._told is None else self._expires_s

    def _follow(self, told: CommandMessage, now_s: float) -> None:
        elapsed_s = max(0.0, now_s - self._at_s)
        for name, value in zip(told.names, told.values, strict=True):
            most = self._largest.get(name, math.inf)
            value = min(max(value, -most), most)
            before = self._values.get(name, 0.0 if told.mode == "velocity" else value)
            self._values[name] = toward(before, value, self._way(name, math.inf, elapsed_s))
        self._at_s = now_s

    def _settle(self, now_s: float) -> None:
        elapsed_s = max(0.0, now_s - self._at_s)
        for name, rest in self._rest.items():
            if name in self._values:
                way = self._way(name, self._braking.get(name, math.inf), elapsed_s)
                self._values[name] = toward(self._values[name], rest, way)
        self._at_s = now_s

    def _way(self, name: str, slope: float, elapsed_s: float) -> float:
        slope = min(slope, self._slopes.get(name, math.inf))
        return math.inf if slope == math.inf else slope * min(elapsed_s, 1e9)

    def _against(self, message: CommandMessage, server_s: float) -> str:
        """Return why a command is not taken; empty: it is."""
        key = self._key
        if key is not None and not is_genuine(key, self._session, self._epoch, message):
            return "not genuine"
        if message.seq <= self._seq:
            return "out of order"
        if message.mode == "neutral" or not message.armed:
            return ""
        if 1e3 * (server_s - message.ledger.decoded_s) > min(message.ttl_ms, self._ttl_ms):
            return "stale"
        if message.lease and message.lease == self._barred:
            return "of a lease before the break"
        if len(message.values) != len(message.names) or not all(map(math.isfinite, message.values)):
            return "no sense"
        return ""


async def drive(
    client: Client,
    effector: Effector,
    act: Callable[[Moves], None],
    period_s: float = 0.01,
) -> None:
    """Feed `effector` from `client`, and call `act` at each command and every `period_s`.

    Never returns; cancel it. `act` returns at once.

    Raises
    ------
    ClientError
        The server does not serve this client any more.
    """
    asking = asyncio.create_task(_keep_asking(client, effector, act, period_s))
    try:
        async for message in client.subscribe("commands"):
            now_s = time.monotonic()
            effector.begin(client.hello.session, client.hello.epoch)
            if isinstance(message, Lost):
                effector.cut()
            elif isinstance(message, CommandMessage):
                effector.take(message, now_s, client.clock.offset_s)
            act(effector.at(now_s))
    finally:
        asking.cancel()


async def _keep_asking(
    client: Client, effector: Effector, act: Callable[[Moves], None], period_s: float
) -> None:
    while True:
        await asyncio.sleep(period_s)
        if not client.is_connected:
            effector.cut()
        act(effector.at(time.monotonic()))
