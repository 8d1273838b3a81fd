import numpy as np
import pytest

from bci_server.display import Display
from bci_server.wire import DecoderName, Ledger
from devices.signal import Chunk, Signal

LEDGER = Ledger(0.0, 0.0, 0.0)
DECODER = DecoderName("d", "1", "h")


@pytest.mark.parametrize("block", [1, 3, 10, 64, 500])
def test_every_nth_sample_is_shown_however_long_the_blocks(block):
    display = Display(Signal(1000.0, ("a", "b"), "uV"), rate_hz=100.0)
    values = np.arange(2000, dtype=np.float32).reshape(1000, 2)
    shown = []
    for begin in range(0, 1000, block):
        end = min(1000, begin + block)
        chunk = Chunk(np.arange(begin, end) / 1000, values[begin:end])
        shown += display.take(chunk, end - 1, LEDGER, DECODER)
    rows = [row for message in shown for row in message.values]
    assert rows == [tuple(row) for row in values[::10].tolist()]
    assert {(m.rate_hz, m.channels, m.unit) for m in shown} == {(100.0, ("a", "b"), "uV")}


def test_more_than_there_is_cannot_be_shown():
    display = Display(Signal(100.0, ("a",), "uV"), rate_hz=1e6)
    assert display.rate_hz == 100.0
    assert len(display.take(Chunk(np.zeros(5), np.ones((5, 1))), 4, LEDGER, DECODER)) == 1
