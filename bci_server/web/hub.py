"""Fan-out: numbers each message, keeps a history, hands it to whoever asked. No I/O of its own.

Everything happens on the event loop's thread, and nothing waits: `Hub.publish` returns when every
client has the message on its socket or in its own bounded buffer. Numbers have no gap within an
epoch and a topic; `Hub.restart` begins a new epoch.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import get_args

import msgspec
import numpy as np

from bci_server.calls import ResumeFrom
from bci_server.safety.seal import seal
from bci_server.web.delivery import Encoded
from bci_server.web.outbox import Listener
from bci_server.wire import CommandMessage, DataMessage, PredictionMessage, TokenMessage, Topic
from devices.clock import MONOTONIC, Clock

__all__ = ["HISTORY", "RAW_TOPICS", "TOPICS", "Hub", "Spans"]

TOPICS: tuple[Topic, ...] = get_args(Topic)
RAW_TOPICS: frozenset[Topic] = frozenset({"signal", "features"})

HISTORY: dict[Topic, int] = {
    "commands": 256,
    "tokens": 4096,
    "predictions": 4096,
    "voice": 32,
    "features": 32,
    "signal": 32,
    "status": 256,
    "markers": 4096,
    "versions": 1024,
}
"""How many messages of each topic are kept for clients that come back."""

_NEVER_THINNED: frozenset[Topic] = frozenset({"status", "markers", "versions", "voice", "signal"})
"""In order; and of the signal, `rate_hz` is how many samples a second the engine is asked for."""


class Spans:
    """The newest durations of one kind, for percentiles.

    Parameters
    ----------
    n
        How many are kept.
    """

    def __init__(self, n: int = 4096) -> None:
        self._ms = np.zeros(n)
        self.count = 0
        self.sum_ms = 0.0

    def add(self, ms: float) -> None:
        """Take one in, in milliseconds."""
        self._ms[self.count % len(self._ms)] = ms
        self.count += 1
        self.sum_ms += ms

    def percentiles(self) -> dict[str, float]:
        """Return the quantiles 0.5, 0.99 and 0.999 of those kept, by name; empty without any."""
        if not self.count:
            return {}
        kept = self._ms[: min(self.count, len(self._ms))]
        values = np.quantile(kept, (0.5, 0.99, 0.999))
        return {"0.5": float(values[0]), "0.99": float(values[1]), "0.999": float(values[2])}


class _Subscription:
    """One client on one topic."""

    __slots__ = ("_due_s", "_is_whole", "_neutral", "_period_s", "listener", "rate_hz")

    def __init__(self, topic: Topic, listener: Listener, rate_hz: float | None) -> None:
        self.listener = listener
        self.rate_hz = rate_hz
        self._period_s = 0.0 if rate_hz is None else 1.0 / rate_hz
        self._is_whole = rate_hz is None or topic in _NEVER_THINNED
        self._due_s = 0.0
        self._neutral = False

    def offer(self, encoded: Encoded, now_s: float) -> None:
        if self._is_whole or self._wants(encoded.message, now_s):
            self.listener.push(encoded)

    def _wants(self, message: object, now_s: float) -> bool:
        """Say whether the message passes the thinning: what may not be skipped always does."""
        if isinstance(message, CommandMessage):
            turned_neutral = message.mode == "neutral" and not self._neutral
            if not turned_neutral and not self._is_due(now_s):
                return False
            self._neutral = message.mode == "neutral"
            return True
        if isinstance(message, TokenMessage) and (message.is_final or not message.text):
            return True  # what was taken back must not stand for ever
        if isinstance(message, PredictionMessage) and message.decision is not None:
            return True
        return self._is_due(now_s)

    def _is_due(self, now_s: float) -> bool:
        if now_s < self._due_s:
            return False
        late_s = now_s - self._due_s
        self._due_s = (self._due_s if late_s < self._period_s else now_s) + self._period_s
        return True


class _Topic:
    """Numbers, history and subscribers of one topic."""

    __slots__ = ("_name", "_subscriptions", "audience", "history", "seq")

    def __init__(self, name: Topic, n_history: int) -> None:
        self._name = name
        self.history: deque[Encoded] = deque(maxlen=n_history)
        self.seq = 0
        self._subscriptions: dict[Listener, _Subscription] = {}
        self.audience: tuple[_Subscription, ...] = ()

    def add(self, listener: Listener, rate_hz: float | None) -> None:
        self._subscriptions[listener] = _Subscription(self._name, listener, rate_hz)
        self.audience = tuple(self._subscriptions.values())

    def remove(self, listener: Listener) -> None:
        if self._subscriptions.pop(listener, None) is not None:
            self.audience = tuple(self._subscriptions.values())

    def since(self, seq: int) -> tuple[bool, list[Encoded]]:
        """Return whether all after `seq` is still here, and what of it is worth sending again.

        Of messages that a newer one replaces, only the newest is: a command of ten seconds ago
        is not to be carried out now.
        """
        if seq > self.seq:
            return False, []
        missed = min(self.seq - seq, len(self.history))
        latest: dict[tuple[str, int], Encoded] = {}
        rest = list(self.history)[len(self.history) - missed :]
        for n, encoded in enumerate(rest):
            if isinstance(encoded.message, CommandMessage | TokenMessage) and encoded.key:
                latest.pop(encoded.key, None)
                latest[encoded.key] = encoded
            else:
                latest["", n] = encoded
        is_whole = missed == self.seq - seq or self._only_newest(rest)
        return is_whole, list(latest.values())

    def _only_newest(self, rest: list[Encoded]) -> bool:
        """Say whether this topic is one of which only the newest message ever counts."""
        return bool(rest) and isinstance(rest[-1].message, CommandMessage)


class Hub:
    """All that one session says, and everybody who listens.

    Parameters
    ----------
    session
        Its name.
    clock
        Stamps what is published.
    history
        Messages kept a topic.
    key
        Seals commands; None: they bear no seal.

    Attributes
    ----------
    epoch
        Names this run of numbers; changes with every restart, also of the web process.
    """

    def __init__(
        self,
        session: str,
        clock: Clock = MONOTONIC,
        history: dict[Topic, int] | None = None,
        key: bytes | None = None,
    ) -> None:
        self.session = session
        self.clock = clock
        self._key = key
        self._history = {**HISTORY, **(history or {})}
        self._topics = self._fresh()
        self.epoch = secrets.token_hex(6)
        self.decoded_published = Spans()
        self.n_published = dict.fromkeys(TOPICS, 0)

    def publish(self, message: DataMessage) -> None:
        """Give the message a number and a stamp, and hand it to every subscriber of its topic."""
        topic = self._topics[message.topic]
        topic.seq += 1
        now_s = self.clock.now()
        ledger = msgspec.structs.replace(message.ledger, published_s=now_s)
        message = msgspec.structs.replace(message, seq=topic.seq, ledger=ledger)
        if self._key is not None and isinstance(message, CommandMessage):
            mac = seal(self._key, self.session, self.epoch, message)
            message = msgspec.structs.replace(message, mac=mac)
        encoded = Encoded(message)
        topic.history.append(encoded)
        for subscription in topic.audience:
            subscription.offer(encoded, now_s)
        self._note(message, now_s)

    def subscribe(
        self, listener: Listener, topics: tuple[Topic, ...], rate_hz: float | None = None
    ) -> None:
        """Send what is published on `topics` from now on, thinned to `rate_hz` where it may be."""
        for topic in topics:
            self._topics[topic].add(listener, rate_hz)

    def unsubscribe(self, listener: Listener, topics: tuple[Topic, ...] = TOPICS) -> None:
        """Send nothing of `topics` any more."""
        for topic in topics:
            self._topics[topic].remove(listener)

    def missed(self, topics: tuple[Topic, ...], since: ResumeFrom) -> tuple[bool, list[Encoded]]:
        """Return whether all since then is still known, and what of it is to be sent again."""
        if since.epoch != self.epoch:
            return False, []
        seqs = since.seq if isinstance(since.seq, dict) else dict.fromkeys(topics, since.seq)
        found = [
            self._topics[topic].since(max(0, seqs[topic])) for topic in topics if topic in seqs
        ]
        return all(whole for whole, _ in found), [e for _, messages in found for e in messages]

    def seqs(self, topics: tuple[Topic, ...]) -> dict[str, int]:
        """Return the number of the newest message of each topic."""
        return {topic: self._topics[topic].seq for topic in topics}

    def rates(self, topic: Topic) -> tuple[float | None, ...]:
        """Return the rate that each subscriber of a topic asked for."""
        return tuple(s.rate_hz for s in self._topics[topic].audience)

    def restart(self) -> None:
        """Begin a new epoch: numbers from 1, no history. Subscriptions stay."""
        audiences = {name: topic.audience for name, topic in self._topics.items()}
        self._topics = self._fresh()
        for name, audience in audiences.items():
            for subscription in audience:
                self._topics[name].add(subscription.listener, subscription.rate_hz)
        self.epoch = secrets.token_hex(6)

    def _fresh(self) -> dict[Topic, _Topic]:
        return {topic: _Topic(topic, self._history[topic]) for topic in TOPICS}

    def _note(self, message: DataMessage, now_s: float) -> None:
        self.n_published[message.topic] += 1
        if message.ledger.decoded_s:
            self.decoded_published.add((self.clock.now() - message.ledger.decoded_s) * 1e3)
