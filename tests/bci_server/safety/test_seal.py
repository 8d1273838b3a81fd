import hashlib
import hmac
import struct

import msgspec
import pytest

from bci_server.safety.seal import is_genuine, seal
from bci_server.web.hub import Hub
from bci_server.wire import Ledger
from tests.bci_server.safety.test_second import command

KEY = b"thirty-two characters, at least!"


def sealed(**fields):
    said = msgspec.structs.replace(
        command(1.0), seq=5, ledger=Ledger(0.9, 0.95, 1.0, 1.25), **fields
    )
    return msgspec.structs.replace(said, mac=seal(KEY, "arm", "e1", said))


def test_the_seal_is_of_the_text_that_is_described():
    def real(x):
        return struct.pack(">d", x).hex()

    fields = ["bci.v1", "arm", "e1", "5", "1", "velocity", "active", "", "1", "7", real(100.0)]
    fields += [real(1.25), "m/s", "1", "x", "1", real(0.5), "1", real(0.0), "1", real(2.0)]
    text = "".join(f"{field}\n" for field in fields)
    assert sealed().mac == hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("encoding", [msgspec.json, msgspec.msgpack])
def test_it_survives_the_wire(encoding):
    said = sealed(values=(0.1 + 0.2,))
    again = encoding.decode(encoding.encode(said), type=type(said))
    assert is_genuine(KEY, "arm", "e1", again)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 6},
        {"sample": 2},
        {"mode": "position"},
        {"names": ("y",)},
        {"values": (0.5000001,)},
        {"values": (-0.5,)},
        {"unit": "mm/s"},
        {"ttl_ms": 1e6},
        {"armed": False},
        {"reason": "stale"},
        {"safety": "hold"},
        {"lease": 8},
        {"rest": (1.0,)},
        {"slopes": (9.0,)},
        {"ledger": Ledger(0.9, 0.95, 1.0, 1.5)},
        {"mac": ""},
    ],
)
def test_whatever_an_effector_acts_on_is_sealed(change):
    assert not is_genuine(KEY, "arm", "e1", msgspec.structs.replace(sealed(), **change))


def test_another_key_session_or_epoch_is_none():
    assert is_genuine(KEY, "arm", "e1", sealed())
    assert not is_genuine(b"x" * 32, "arm", "e1", sealed())
    assert not is_genuine(KEY, "leg", "e1", sealed())
    assert not is_genuine(KEY, "arm", "e2", sealed())


class Listener:
    def __init__(self):
        self.got = []

    def push(self, encoded):
        self.got.append(encoded.message)


def test_a_hub_with_a_key_seals_commands_and_one_without_does_not():
    for key in (KEY, None):
        hub, listener = Hub("arm", key=key), Listener()
        hub.subscribe(listener, ("commands",))
        hub.publish(command())
        (got,) = listener.got
        assert is_genuine(KEY, "arm", hub.epoch, got) == (key is not None)
