import importlib.util
import re

import numpy as np
import pytest

from decoders.decoder import Training
from decoders.models.eeg_tcnet import EegTcnet
from decoders.models.eegnet import Eegnet
from decoders.models.rnn import Rnn
from decoders.models.shallow_convnet import ShallowConvnet
from decoders.models.transformer import Transformer
from decoders.onnx.graph import GRAPH, open_graph
from decoders.stage import Mismatch
from decoders.training.recurrent import checked_int8
from tests.contract.networks import value_training, window_training


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Eegnet(epochs=0), "epochs must be at least 1, not 0"),
        (lambda: Eegnet(validation=0.6), "validation must be above 0 and at most 0.5, not 0.6"),
        (lambda: Eegnet(learning_rate=0), "learning_rate = 0"),
        (lambda: Eegnet(dropout=1.0), "dropout = 1.0"),
        (lambda: ShallowConvnet(pool_s=0), "pool_s = 0"),
        (lambda: ShallowConvnet(filters=0), "filters = 0"),
        (lambda: EegTcnet(layers=0), "layers must be at least 1, not 0"),
        (lambda: EegTcnet(causal_dropout=-1), "causal_dropout = -1"),
        (lambda: Rnn(stretch=10, warm_up=10), "warm_up = 10, stretch = 10"),
        (lambda: Rnn(cell="gru", precision="int8"), 'is for cell = "lstm"'),
        (lambda: Rnn(dropout_in=1.5), "dropout_in = 1.5"),
        (lambda: Rnn(offsets=-1.0), "offsets must be at least 0, not -1.0"),
        (lambda: Transformer(width=10, heads=4), "width = 10, heads = 4"),
        (lambda: Transformer(dropout=2), "dropout = 2"),
    ],
)
def test_keys_that_make_no_sense_are_refused_with_their_values(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("recipe", [Eegnet(), EegTcnet(), ShallowConvnet()])
def test_windows_too_short_for_the_network_are_refused(recipe):
    t = window_training(2)
    short = np.concatenate([np.arange(c * 64, c * 64 + 16) for c in range(3)])
    signal = type(t.signal)(10.0, tuple(t.signal.channels[i] for i in short), "uV")
    with pytest.raises(Mismatch, match=r"they have 16"):
        recipe.fit(Training(signal, t.features[:, short], t.targets, t.groups, t.labels))


def test_rows_that_are_no_windows_are_refused():
    rows = value_training()
    t = Training(rows.signal, rows.features, np.arange(300) % 2, np.arange(300), ("a", "b"))
    with pytest.raises(Mismatch, match="reads windows of samples; the steps put out a, b, c"):
        Eegnet().fit(t)


def test_what_is_not_installed_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else found(name, *a)
    )
    with pytest.raises(Mismatch, match=r"with torch, not installed here; pip install 'bci-server"):
        Rnn().fit(value_training())


LSTM = Rnn(epochs=2, units=16, stretch=20, warm_up=4, precision="int8")


def test_eight_bits_say_nearly_the_same_and_how_nearly():
    weights = LSTM.fit(value_training())
    exact = Rnn(epochs=2, units=16, stretch=20, warm_up=4).fit(value_training())
    assert weights["onnx"].size < exact["onnx"].size
    before, after = weights["int8_r2"]
    assert before - after <= 0.01
    near, whole = open_graph(weights), open_graph(exact)
    for row in value_training().features[:50]:
        for run in (near, whole):
            run.inputs["row"][...] = row
            run()
    assert near.outputs["values"] == pytest.approx(whole.outputs["values"], abs=0.2)


def test_eight_bits_are_refused_where_the_accuracy_does_not_bear_them():
    t = value_training()
    exact = Rnn(epochs=2, units=16, stretch=20, warm_up=4).fit(t)

    truth = t.targets[240:]
    says = iter([truth, truth * 0.5])  # first the graph in float32, then the one in 8 bits
    with pytest.raises(
        Mismatch, match=r"R² is 1\.000 with float32 weights and -?\d+\.\d+ with 8-bit"
    ):
        checked_int8(exact[GRAPH], t, 0.2, lambda run, rows: next(says))


def test_labels_that_mean_nothing_are_not_learned():
    """Of trials of noise that it has not seen, the network is right as often as a coin."""
    real, rng = window_training(2), np.random.default_rng(0)
    noise = rng.standard_normal((400, real.features.shape[1])) * 10
    targets = np.arange(400) % 2
    t = Training(real.signal, noise, targets, np.arange(400), ("a", "b"))
    recipe = Eegnet(epochs=5, f1=4)
    run = open_graph(recipe.fit(t.part(np.arange(200))))
    right = 0
    for row, target in zip(noise[200:], targets[200:], strict=True):
        run.inputs["window"].reshape(-1)[:] = row
        run()
        right += int(run.outputs["probabilities"][0].argmax() == target)
    assert 70 <= right <= 130  # 4 deviations of a coin
