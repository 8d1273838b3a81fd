"""What a client may miss and what it may not: encoded once, kept in a bounded buffer. Pure.

Three classes. *Newest wins* (commands, predictions without a decision, interim tokens): while a
client cannot be written to, a message takes the place of the one before it. *In order* (final
tokens, decisions, markers, status, answers): nothing is skipped; a client that lets too many
gather is closed. *Drop-oldest* (signal, features): the oldest goes, and the next one that is
sent says how many went. *Voice*: in order; when too many wait, all of them go, and the next one
says how many. For a voice that is behind is as bad as none: dropping the oldest alone would leave
it behind for ever, and tear a hole at each frame; so there is one hole, and then what is said now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from websockets.frames import Frame, Opcode

from bci_server.wire import (
    CommandMessage,
    FeaturesMessage,
    PredictionMessage,
    ServerMessage,
    SignalMessage,
    TokenMessage,
    VoiceMessage,
)

__all__ = ["ENCODINGS", "JSON", "MSGPACK", "Encoded", "Encoding", "Overflow", "Pending", "Written"]

Key = tuple[str, int]

_Display = SignalMessage | FeaturesMessage | VoiceMessage


class Overflow(Exception):
    """A client let too many messages gather that must not be skipped."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How messages are written on a connection of one subprotocol."""

    subprotocol: str
    is_text: bool
    encode: Callable[[Any], bytes]


JSON = Encoding("bci.v1.json", True, msgspec.json.Encoder().encode)
MSGPACK = Encoding("bci.v1.msgpack", False, msgspec.msgpack.Encoder().encode)
ENCODINGS = {encoding.subprotocol: encoding for encoding in (JSON, MSGPACK)}


@dataclass(frozen=True, slots=True)
class Written:
    """One message in one encoding: bare, and as the WebSocket frame that every client gets.

    A server's frames are not masked, so the same bytes do for all.
    """

    payload: bytes
    is_text: bool
    frame: bytes


class Encoded:
    """A message, written at most once in each encoding, and only when somebody wants it.

    Parameters
    ----------
    message
        What to send.
    """

    __slots__ = ("_written", "key", "message")

    def __init__(self, message: ServerMessage) -> None:
        self.message = message
        self.key = _newest_key(message)
        self._written: dict[str, Written] = {}

    def written(self, encoding: Encoding) -> Written:
        """Return the message in `encoding`."""
        written = self._written.get(encoding.subprotocol)
        if written is None:
            written = self._written[encoding.subprotocol] = _write(self.message, encoding)
        return written


class Pending:
    """What waits for one client while its socket is full.

    Messages leave in the order in which they came, so numbers never go back.

    Parameters
    ----------
    max_ordered
        How many messages that must not be skipped may wait.
    max_display
        How many signal and feature messages may wait, each topic.
    max_voice
        How many frames of a voice may.
    """

    def __init__(self, max_ordered: int = 512, max_display: int = 16, max_voice: int = 64) -> None:
        self._max_ordered = max_ordered
        self._max = {"signal": max_display, "features": max_display, "voice": max_voice}
        self._waiting: dict[Key, Encoded] = {}
        self._display: dict[str, list[Key]] = {}
        self._dropped: dict[str, int] = {}
        self._n = 0
        self._n_ordered = 0
        self.n_replaced = 0
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, encoded: Encoded) -> None:
        """Take a message in.

        Raises
        ------
        Overflow
            When nothing that waits may be skipped and there are too many.
        """
        message = encoded.message
        if isinstance(message, _Display):
            self._put_display(encoded, message.topic)
        elif encoded.key is not None:
            self._put_newest(encoded, encoded.key)
        else:
            self._put_ordered(encoded)

    def put_missed(self, encoded: Encoded) -> None:
        """Take in a message of the history: it is held there anyway, so it counts for nothing."""
        self._waiting["missed", self._next_number()] = encoded

    def pop(self) -> Encoded:
        """Return the oldest message that waits and forget it."""
        key, encoded = next(iter(self._waiting.items()))
        del self._waiting[key]
        if key[0] == "missed":
            return encoded
        message = encoded.message
        if isinstance(message, _Display):
            self._display[message.topic].remove(key)
            dropped = self._dropped.pop(message.topic, 0)
            return (
                Encoded(msgspec.structs.replace(message, dropped=dropped)) if dropped else encoded
            )
        if encoded.key is None:
            self._n_ordered -= 1
        return encoded

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._display.clear()
        self._n_ordered = 0

    def _put_newest(self, encoded: Encoded, key: Key) -> None:
        if self._waiting.pop(key, None) is not None:
            self.n_replaced += 1
        self._waiting[key] = encoded

    def _put_ordered(self, encoded: Encoded) -> None:
        if self._n_ordered >= self._max_ordered:
            raise Overflow(f"{self._n_ordered} messages wait that must not be skipped")
        message = encoded.message
        if isinstance(message, TokenMessage):
            # The final word on an item makes an interim one of it pointless.
            self._waiting.pop(("tokens", message.item), None)
        self._waiting[self._next_key()] = encoded
        self._n_ordered += 1

    def _put_display(self, encoded: Encoded, topic: str) -> None:
        keys = self._display.setdefault(topic, [])
        if len(keys) >= self._max[topic]:
            n = len(keys) if topic == "voice" else 1
            for key in keys[:n]:
                del self._waiting[key]
            del keys[:n]
            self._dropped[topic] = self._dropped.get(topic, 0) + n
            self.n_dropped += n
        key = self._next_key()
        keys.append(key)
        self._waiting[key] = encoded

    def _next_key(self) -> Key:
        return "", self._next_number()

    def _next_number(self) -> int:
        self._n += 1
        return self._n


def _newest_key(message: ServerMessage) -> Key | None:
    """Return what a newer message must share with this one to take its place; None: nothing."""
    if isinstance(message, CommandMessage):
        return "commands", 0
    if isinstance(message, PredictionMessage) and message.decision is None:
        return "predictions", 0
    if isinstance(message, TokenMessage) and not message.is_final:
        return "tokens", message.item
    return None


def _write(message: ServerMessage, encoding: Encoding) -> Written:
    payload = encoding.encode(message)
    opcode = Opcode.TEXT if encoding.is_text else Opcode.BINARY
    frame = Frame(opcode, payload).serialize(mask=False)
    return Written(payload, encoding.is_text, frame)
