import math
from contextlib import closing

import pytest

from bci_server.outlet import LslOutlets
from bci_server.safety.gate import Shape
from bci_server.wire import CommandMessage, Ledger, MarkerMessage, PredictionMessage

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
    with closing(LslOutlets("outlet-a", SHAPE, ())) as outlets:
        stream = inlet("outlet-a-commands")
        for message in (command(), command("neutral", (0.0, 0.0)), command(armed=False)):
            outlets.put(message)
        got = [stream.pull_sample(timeout=10) for _ in range(3)]
        labels = stream.info(timeout=10).get_channel_labels()
    assert labels == ["vx", "vy", "armed"]
    assert [row for row, _ in got] == [pytest.approx([0.1, -0.2, 1]), [0, 0, 0], [0, 0, 0]]
    assert {stamp for _, stamp in got} == {12.5}


def test_a_neutral_position_is_no_place(inlet):
    with closing(LslOutlets("outlet-b", Shape("position", ("x",), "m"), ())) as outlets:
        stream = inlet("outlet-b-commands")
        outlets.put(command("neutral", (), names=()))
        row, _ = stream.pull_sample(timeout=10)
    assert math.isnan(row[0])
    assert row[1] == 0


def test_predictions_and_decisions_go_out_and_nothing_else(inlet, lsl):
    with closing(LslOutlets("outlet-c", None, ("a", "b"))) as outlets:
        probabilities = inlet("outlet-c-predictions")
        decisions = inlet("outlet-c-decisions")
        outlets.put(command())
        outlets.put(prediction())
        outlets.put(MarkerMessage(topic="markers", sample=1, ledger=LEDGER, label="x", source="d"))
        outlets.put(prediction("b"))
        assert probabilities.pull_sample(timeout=10)[0] == [0.25, 0.75]
        assert decisions.pull_sample(timeout=10) == (["b"], 12.5)
        assert lsl.resolve_byprop("name", "outlet-c-commands", 1, timeout=0.3) == []
