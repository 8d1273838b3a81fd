import json
import math
from contextlib import closing

import pytest

from bci_server.outlet import LslOutlets, Said
from bci_server.safety.gate import Shape
from bci_server.wire import (
    AlternativeMessage,
    CommandMessage,
    Ledger,
    MarkerMessage,
    PredictionMessage,
    TokenMessage,
    VoiceMessage,
)

LEDGER = Ledger(12.5, 12.6, 12.7)
SHAPE = Shape("velocity", ("vx", "vy"), "m/s")


def command(mode="velocity", values=(0.1, -0.2), armed=True, names=SHAPE.names):
    return CommandMessage(
        topic="commands", sample=1, ledger=LEDGER, mode=mode, names=names, values=values,
        unit="m/s", confidence=1.0, ttl_ms=100.0, armed=armed,
    )  # fmt: skip


def prediction(decision=None):
    return PredictionMessage(
        topic="predictions", sample=1, ledger=LEDGER, labels=("a", "b"),
        probabilities=(0.25, 0.75), decision=decision,
    )  # fmt: skip


def token(text, is_final, last=700, **fields):
    return TokenMessage(
        topic="tokens", sample=1199, ledger=LEDGER, item=3, text=text, unit="word",
        is_final=is_final, confidence=0.75, last=last,
        **{"segment_final": False, **fields},
    )  # fmt: skip


@pytest.fixture
def inlet(lsl):
    """Opens the stream of a name and waits until it is connected."""
    opened = []

    def open_inlet(name):
        (info,) = lsl.resolve_byprop("name", name, 1, timeout=10)
        inlet = lsl.StreamInlet(info)
        opened.append(inlet)
        inlet.open_stream(timeout=10)
        return inlet

    yield open_inlet
    for each in opened:
        each.close_stream()


def test_commands_go_out_with_whether_they_stand(inlet):
    with closing(LslOutlets("outlet-a", Said(SHAPE))) as outlets:
        stream = inlet("outlet-a-commands")
        for message in (command(), command("neutral", (0.0, 0.0)), command(armed=False)):
            outlets.put(message)
        got = [stream.pull_sample(timeout=10) for _ in range(3)]
        labels = stream.info(timeout=10).get_channel_labels()
    assert labels == ["vx", "vy", "armed"]
    assert [row for row, _ in got] == [pytest.approx([0.1, -0.2, 1]), [0, 0, 0], [0, 0, 0]]
    assert {stamp for _, stamp in got} == {12.5}


def test_a_neutral_position_is_no_place(inlet):
    with closing(LslOutlets("outlet-b", Said(Shape("position", ("x",), "m")))) as outlets:
        stream = inlet("outlet-b-commands")
        outlets.put(command("neutral", (), names=()))
        row, _ = stream.pull_sample(timeout=10)
    assert math.isnan(row[0])
    assert row[1] == 0


def test_predictions_and_decisions_go_out_and_nothing_else(inlet, lsl):
    with closing(LslOutlets("outlet-c", Said(labels=("a", "b")))) as outlets:
        probabilities = inlet("outlet-c-predictions")
        decisions = inlet("outlet-c-decisions")
        outlets.put(command())
        outlets.put(prediction())
        outlets.put(MarkerMessage(topic="markers", sample=1, ledger=LEDGER, label="x", source="d"))
        outlets.put(prediction("b"))
        assert probabilities.pull_sample(timeout=10)[0] == [0.25, 0.75]
        assert decisions.pull_sample(timeout=10) == (["b"], 12.5)
        assert lsl.resolve_byprop("name", "outlet-c-commands", 1, timeout=0.3) == []


def test_final_words_are_markers_at_their_last_sample(inlet):
    with closing(LslOutlets("outlet-d", Said(labels=("a", "b"), token_rate_hz=1000.0))) as outlets:
        words = inlet("outlet-d-tokens")
        for said in (token("wat", False), token("water", True), token("", True), token("x", True)):
            outlets.put(said)
        outlets.put(token("unknown", True, last=-1))
        got = [words.pull_sample(timeout=10) for _ in range(3)]
        info = words.info(timeout=10)
    assert info.type() == "Markers"
    assert [text for text, _ in got] == [["water"], ["x"], ["unknown"]]
    assert [stamp for _, stamp in got] == pytest.approx([12.001, 12.001, 12.5])


def test_every_token_goes_out_as_json_when_it_is_told(inlet):
    said = [
        token("wat", False),
        token("water", True, alternatives=(AlternativeMessage("waiter", 0.2),), segment_final=True),
    ]
    with closing(LslOutlets("outlet-e", Said(token_rate_hz=1000.0))) as outlets:
        updates = inlet("outlet-e-token-updates")
        for each in said:
            outlets.put(each)
        got = [updates.pull_sample(timeout=10) for _ in said]
    assert [stamp for _, stamp in got] == [12.5, 12.5]
    interim, final = (json.loads(text) for (text,), _ in got)
    assert (interim["text"], interim["is_final"], interim["item"]) == ("wat", False, 3)
    assert final == {
        "item": 3, "text": "water", "unit": "word", "is_final": True, "segment_final": True,
        "confidence": 0.75, "alternatives": [{"text": "waiter", "confidence": 0.2}], "first": -1,
        "last": 700, "sample": 1199,
    }  # fmt: skip


def test_a_voice_goes_out_feature_by_feature(inlet, lsl):
    said = Said(voice=("mel-00", "f0"), voice_unit="dB")
    with closing(LslOutlets("outlet-f", said)) as outlets:
        stream = inlet("outlet-f-voice")
        outlets.put(command())
        outlets.put(
            VoiceMessage(
                topic="voice", sample=1, ledger=LEDGER, names=said.voice, values=(0.5, 110.0),
                unit="dB",
            )
        )  # fmt: skip
        assert stream.pull_sample(timeout=10) == ([0.5, 110.0], 12.5)
        info = stream.info(timeout=10)
        assert lsl.resolve_byprop("name", "outlet-f-tokens", 1, timeout=0.3) == []
    assert info.get_channel_labels() == ["mel-00", "f0"]
    assert info.get_channel_units() == ["dB", "dB"]
