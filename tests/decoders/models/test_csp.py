import numpy as np
import pytest

from decoders.decoder import Moment, Training
from decoders.models.csp import Csp
from decoders.output import Prediction
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

SIGNAL = Signal(10.0, tuple(f"{i}*{j}" for i in range(4) for j in range(i, 4)), "uV^2")


def mixed(n_trials: int = 40) -> Training:
    """Two sources that are loud by turns, hidden in a mixture of four channels."""
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((4, 4))
    rows = []
    for trial in range(n_trials):
        sources = rng.standard_normal((4, 200)) * [[1 + trial % 2], [2 - trial % 2], [3], [3]]
        x = mixing @ sources
        rows.append((x @ x.T / 200)[np.triu_indices(4)])
    targets = np.arange(n_trials) % 2
    return Training(SIGNAL, np.array(rows), targets, np.arange(n_trials), ("a", "b"))


def test_hidden_sources_are_told_apart() -> None:
    training, recipe = mixed(), Csp(2)
    decoding = recipe.start(SIGNAL, ("a", "b"), "", recipe.fit(training))
    for row, target in zip(mixed(60).features[40:], mixed(60).targets[40:], strict=True):
        (said,) = decoding(Chunk(np.zeros(1), row[np.newaxis]), Moment(0, 0.0))
        assert isinstance(said, Prediction)
        assert said.probabilities[target] > 0.9


def test_more_filters_than_channels_are_refused() -> None:
    with pytest.raises(Mismatch, match="5 spatial filters cannot be had from 4 channels"):
        Csp(5).fit(mixed())
    with pytest.raises(ValueError, match="filters must be at least 1, not 0"):
        Csp(0)
