"""A network as a textbook trains it, beside ours."""

import numpy as np
import pytest

from benchmarks.textbook_rnn import TextbookRnn
from decoders.decoder import Moment, Training
from decoders.models.rnn import Rnn
from decoders.output import Command
from devices.signal import Chunk, Signal

pytest.importorskip("torch")
SIGNAL = Signal(20.0, ("a", "b", "c"), "count")


@pytest.mark.parametrize(("kind", "follows"), [(Rnn, False), (TextbookRnn, True)])
def test_it_alone_reads_what_lies_beyond_ten_deviations(kind: type[Rnn], follows: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 1))
    rows = values + 0.1 * rng.standard_normal((400, 3))
    training = Training(SIGNAL, rows, values, np.zeros(400, np.int64), ("v",), "m/s")
    recipe = kind(epochs=1, units=4)
    weights = recipe.fit(training)
    said = []
    for beyond in (12.0, 24.0):
        decoding = recipe.start(SIGNAL, training.labels, training.unit, weights)
        row = rows.mean(axis=0) + beyond * rows.std(axis=0) * [1, -1, 1]
        (command,) = decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
        assert isinstance(command, Command)
        said.append(command.values)
    assert (said[0] != said[1]) is follows


def test_it_hides_nothing_while_it_learns() -> None:
    recipe = TextbookRnn()
    assert (recipe.dropout_in, recipe.dropout, recipe.offsets, recipe.weight_decay) == (0, 0, 0, 0)
