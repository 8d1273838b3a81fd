"""Many cheap WebSocket clients in one process: a handshake, then bare frames.

A client library spends more on a message than the server does, and there are two cores. These
decode nothing but the times of a message, and know no more of the protocol than it takes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import time
from urllib.parse import urlsplit

import msgspec

__all__ = ["Frozen", "Reader", "connect_readers"]

_OPEN_S = 30.0


class _Times(msgspec.Struct):
    sampled_s: float


class _Command(msgspec.Struct):
    type: str
    seq: int = 0
    ledger: _Times | None = None
    decoded: list[float] = []


_decode = msgspec.json.Decoder(_Command).decode


class Reader(asyncio.Protocol):
    """Takes in every command that the decoder gave.

    Attributes
    ----------
    rows
        Arrival and newest sample's time of each message, in seconds on the machine's one clock.
    n_missed
        Messages that a newer one took the place of.
    has_rows, is_open
        A first command of the decoder's has come; the server knows what is wanted.
    """

    def __init__(self, upgrade: bytes, call: bytes) -> None:
        self.rows: list[tuple[float, float]] = []
        self.n_missed = 0
        self.has_rows = asyncio.Event()
        self.is_open = asyncio.get_running_loop().create_future()
        self._upgrade, self._call = upgrade, call
        self._data = b""
        self._upgraded = False
        self._seq = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._upgrade)

    def data_received(self, data: bytes) -> None:
        """Note when each message came."""
        now_s = time.monotonic()
        self._data += data
        if not self._upgraded:
            head, found, self._data = self._data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            if b" 101 " not in head.splitlines()[0]:
                raise ConnectionError(head.decode())
            self._upgraded = True
            assert self._transport is not None
            self._transport.write(self._call)
        while (frame := self._frame()) is not None:
            self._take(frame, now_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits know."""
        if not self.is_open.done():
            self.is_open.set_exception(ConnectionError("closed before it began"))

    def close(self) -> None:
        """Leave without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        n, start = data[1], 2
        if n == 126:
            if len(data) < 4:
                return None
            n, start = struct.unpack_from("!H", data, 2)[0], 4
        elif n == 127:
            if len(data) < 10:
                return None
            n, start = struct.unpack_from("!Q", data, 2)[0], 10
        if len(data) < start + n:
            return None
        self._data = data[start + n :]
        return data[0] & 0x0F, data[start : start + n]

    def _take(self, frame: tuple[int, bytes], now_s: float) -> None:
        opcode, payload = frame
        if opcode == 9:
            assert self._transport is not None
            self._transport.write(_frame(10, payload))
        if opcode != 1:
            return
        message = _decode(payload)
        if message.type == "command" and message.ledger is not None:
            if self._seq:
                self.n_missed += message.seq - self._seq - 1
            self._seq = message.seq
            if message.decoded:
                self.rows.append((now_s, message.ledger.sampled_s))
                self.has_rows.set()
        elif message.type == "result" and not self.is_open.done():
            self.is_open.set_result(None)


class Frozen:
    """A client that asks for everything there is and never reads."""

    def __init__(self, url: str, session: str, token: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((parts.hostname, parts.port))
        self._socket.settimeout(_OPEN_S)
        self._socket.sendall(_upgrade(url, session, token))
        if not self._socket.recv(16).startswith(b"HTTP/1.1 101"):
            raise ConnectionError("refused")
        self._socket.sendall(_call(["signal", "commands", "predictions"]))

    def close(self) -> None:
        """Leave."""
        self._socket.close()


async def connect_readers(
    url: str, session: str, token: str, n: int, topics: list[str]
) -> list[Reader]:
    """Connect `n` clients and wait until the server knows what they want."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    readers = []
    for _ in range(n):
        upgrade = _upgrade(url, session, token)
        _, reader = await loop.create_connection(
            lambda upgrade=upgrade: Reader(upgrade, _call(topics)), parts.hostname, parts.port
        )
        await asyncio.wait_for(reader.is_open, _OPEN_S)
        readers.append(reader)
    return readers


def _upgrade(url: str, session: str, token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /v1/sessions/{session}/stream HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def _call(topics: list[str]) -> bytes:
    return _frame(1, json.dumps({"type": "subscribe", "id": 1, "topics": topics}).encode())


def _frame(opcode: int, payload: bytes) -> bytes:
    assert len(payload) < 126  # of the client's few and small messages
    mask = os.urandom(4)
    masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked
