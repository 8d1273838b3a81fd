"""The seal on a command: proof that the server which has the key said this, now, in this order.

HMAC-SHA256 over UTF-8 text, hexadecimal. The text is these fields, each followed by a line feed::

    bci.v1  session  epoch  seq  sample  mode  safety  reason  armed  lease
    ttl_ms  published_s  unit  names…  values…  rest…  slopes…

Integers are decimal, ``armed`` is 1 or 0; each real number is the 16 hexadecimal digits of its
IEEE 754 double, big-endian; of the lists, first the length, then each item. Session and epoch are
those of the `hello`. The number ``seq`` is in it, so that a command which was recorded and sent
again is seen: an effector takes none whose number is not above the last.
"""

from __future__ import annotations

import hmac
import struct

from bci_server.wire import CommandMessage

__all__ = ["is_genuine", "seal"]

_double = struct.Struct(">d").pack


def seal(key: bytes, session: str, epoch: str, command: CommandMessage) -> str:
    """Return the seal of a command that has its number and its time."""
    c = command
    fields = [
        "bci.v1",
        session,
        epoch,
        str(c.seq),
        str(c.sample),
        c.mode,
        c.safety,
        c.reason,
        "1" if c.armed else "0",
        str(c.lease),
        _double(c.ttl_ms).hex(),
        _double(c.ledger.published_s).hex(),
        c.unit,
        str(len(c.names)),
        *c.names,
    ]
    for numbers in (c.values, c.rest, c.slopes):
        fields.append(str(len(numbers)))
        fields += [_double(number).hex() for number in numbers]
    text = "\n".join([*fields, ""])
    return hmac.digest(key, text.encode(), "sha256").hex()


def is_genuine(key: bytes, session: str, epoch: str, command: CommandMessage) -> bool:
    """Say whether a command bears the seal that it should."""
    return hmac.compare_digest(seal(key, session, epoch, command), command.mac)
