"""Frames on a byte stream: four bytes of length, big-endian, then that many bytes. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["MAX_FRAME_BYTES", "FrameTooLong", "Frames", "frame"]

MAX_FRAME_BYTES = 16 * 2**20
"""No message of ours comes near it; a longer one means that the stream is out of step."""

_LENGTH = struct.Struct(">I")


class FrameTooLong(Exception):
    """The other side announced a frame longer than any of ours: the stream is out of step."""


def frame(payload: bytes) -> bytes:
    """Return `payload` with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


class Frames:
    """Puts frames together again from bytes that were cut anyhow."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take in bytes, and yield the payloads that they complete.

        Raises
        ------
        FrameTooLong
            Nothing after this can be understood; close the line.
        """
        self._begun += data
        while len(self._begun) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._begun)
            if length > MAX_FRAME_BYTES:
                raise FrameTooLong(f"a frame of {length} bytes; at most {MAX_FRAME_BYTES}")
            end = _LENGTH.size + length
            if len(self._begun) < end:
                return
            payload = bytes(self._begun[_LENGTH.size : end])
            del self._begun[:end]
            yield payload
