import hashlib
import json
import struct
from dataclasses import replace

import msgspec
import pytest

from bci_server.messages import token_message
from bci_server.wire import DecoderName, Ledger, TokenMessage
from decoders.output import Alternative, Command, Prediction, Token, continuous
from decoders.output_hash import OutputHash

OUTPUTS = [
    Prediction(("a", "b"), (0.1, 0.9)),
    Prediction(("a", "b"), (1 / 3, 2 / 3), "b", 70),
    Command("velocity", ("vx",), (-1.7976931348623157e308,), "m/s"),
    Token(3, "schön", "word", True, True, 0.75, (Alternative("schon", 0.25),), 1, 3),
]


def digest(outputs) -> str:
    running = OutputHash()
    for sample, output in enumerate(outputs):
        running.add(sample, output)
    return running.hexdigest()


def test_it_is_what_its_description_says():
    expected = hashlib.sha256()
    expected.update(b"P" + struct.pack("<qIddI", 0, 2, 0.1, 0.9, 0) + struct.pack("<q", -1))
    expected.update(b"P" + struct.pack("<qIddI", 1, 2, 1 / 3, 2 / 3, 1) + b"b")
    expected.update(struct.pack("<q", 70))
    expected.update(b"C" + struct.pack("<qId", 2, 1, -1.7976931348623157e308))
    expected.update(b"T" + struct.pack("<qqI", 3, 3, 6) + "schön".encode() + b"\x03")
    expected.update(struct.pack("<dqqI", 0.75, 1, 3, 1))
    expected.update(struct.pack("<I", 5) + b"schon" + struct.pack("<d", 0.25))
    assert digest(OUTPUTS) == expected.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        Prediction(("a", "b"), (0.1, 0.9000000000000001)),
        Prediction(("a", "b"), (0.1, 0.9), "a", 70),
        Prediction(("a", "b"), (0.1, 0.9), None, 70),
    ],
)
def test_any_bit_changes_it(other):
    assert digest([other]) != digest(OUTPUTS[:1])


@pytest.mark.parametrize(
    "change",
    [
        {"first": 2},
        {"last": 4},
        {"confidence": 0.7500000000000001},
        {"segment_final": False},
        {"alternatives": ()},
        {"alternatives": (Alternative("schon", 0.2500000000000001),)},
    ],
)
def test_all_of_a_token_counts(change):
    assert digest([replace(OUTPUTS[3], **change)]) != digest(OUTPUTS[3:])


def test_a_token_and_its_message_are_the_same():
    ledger = Ledger(0.0, 0.0, 0.0)
    message = token_message(OUTPUTS[3], 0, ledger, "good", DecoderName("speech", "1", "abc"))
    read = msgspec.json.decode(msgspec.json.encode(message), type=TokenMessage)
    running = OutputHash()
    running.token(0, read)
    assert running.hexdigest() == digest(OUTPUTS[3:])


def test_a_voice_is_no_command():
    values = ("voice", ("a",), (0.5,), "dB")
    expected = hashlib.sha256(b"V" + struct.pack("<qId", 0, 1, 0.5)).hexdigest()
    assert digest([continuous(*values)]) == expected
    assert digest([continuous("velocity", *values[1:])]) != expected


def test_the_sample_and_the_order_count():
    assert digest(OUTPUTS[1:2]) != digest(OUTPUTS[:2])
    assert digest(OUTPUTS[::-1]) != digest(OUTPUTS)


@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_a_reader_of_messages_gets_the_same(codec):
    sent = OUTPUTS[1]
    assert isinstance(sent, Prediction)
    read = codec.decode(codec.encode({"p": sent.probabilities, "d": sent.decision}))
    running = OutputHash()
    running.prediction(0, read["p"], read["d"], 70)
    assert running.hexdigest() == digest(OUTPUTS[1:2])
    assert json.loads(json.dumps(sent.probabilities)) == list(sent.probabilities)
