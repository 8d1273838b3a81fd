import hashlib
from dataclasses import replace

import msgspec
import numpy as np
import psutil
import pytest

from decoders.artifact import Artifact
from decoders.deciding.trials import Trials
from decoders.decoder import Moment
from decoders.features.window import Window
from decoders.models.onnx import Onnx
from decoders.onnx.foreign import ForeignManifest, bring_in, read_manifest
from decoders.onnx.graph import open_graph
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Signal

CHANNELS = ("C3", "Cz", "C4")
PIPELINE = Pipeline(
    0.1,
    stages=Chain((Window(0.5),)),
    trials=Trials({"l": "left", "r": "right"}, 0.5, 2.0),
)


def graph(batch="batch", probabilities=True, channels=3):
    """A network that says which of the first two channels is higher; its batch size is open."""
    from onnx import TensorProto, helper, numpy_helper

    pick = np.zeros((channels, 2), np.float32)
    pick[0, 0] = pick[1, 1] = 1.0
    nodes = [
        helper.make_node("ReduceMean", ["window"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["mean", "pick"], ["scores"]),
    ]
    out = "scores"
    if probabilities:
        nodes.append(helper.make_node("Softmax", ["scores"], ["said"], axis=1))
        out = "said"
    made = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, [batch, channels, 50])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(pick, "pick")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


def manifest_of(raw, **changes):
    return msgspec.structs.replace(
        ForeignManifest(
            hashlib.sha256(raw).hexdigest(),
            100.0,
            CHANNELS,
            "uV",
            ("left", "right"),
            {"window": (1, 3, 50), "said": (1, 2)},
        ),
        **changes,
    )


def test_a_foreign_network_decodes_as_a_model_of_ours(tmp_path):
    raw, decoder = graph(), Onnx("probabilities")
    bring_in(raw, manifest_of(raw), PIPELINE, decoder).save(tmp_path / "model")
    model = Artifact.load(tmp_path / "model")
    assert model.weights["onnx"].tobytes() == raw
    # More channels, in another order: the network's own are picked by name.
    stream = Signal(100.0, ("Pz", "C4", "Cz", "C3"), "uV")
    run = model.run(stream, PIPELINE, decoder)
    values = np.zeros((100, 4), np.float32)
    values[:, 2] = 2.0
    *_, last = run.feed(Chunk(np.arange(100) / 100, values))
    assert last.outputs[0].labels == ("left", "right")
    assert last.outputs[0].probabilities[1] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "pipeline", "decoder", "message"),
    [
        ({"sha256": "0" * 64}, PIPELINE, Onnx("probabilities"), "hash 000000000000"),
        (
            {"rate_hz": 250.0},
            PIPELINE,
            Onnx("probabilities"),
            "150 features; the steps put out 375",
        ),
        (
            {"channels": ("C3", "C4")},
            PIPELINE,
            Onnx("probabilities"),
            "150 features; the steps put out 100",
        ),
        (
            {},
            replace(PIPELINE, channels=("Cz", "C3", "C4")),
            Onnx("probabilities"),
            "takes the channels C3, Cz, C4; the session picks Cz, C3, C4",
        ),
        (
            {"labels": ("left", "feet")},
            PIPELINE,
            Onnx("probabilities"),
            "knows the classes left, feet; the session's trials have left, right",
        ),
        (
            {"labels": ("left", "right", "feet")},
            replace(PIPELINE, trials=None),
            Onnx("probabilities"),
            "puts out 2 numbers; the model has 3 labels",
        ),
        (
            {"shapes": {"window": (1, 4, 50), "said": (1, 2)}},
            PIPELINE,
            Onnx("probabilities"),
            r"'window' is said to be \[1, 4, 50\]; in the graph it is \['batch', 3, 50\]",
        ),
        ({"shapes": {"said": (1, 2)}}, PIPELINE, Onnx("probabilities"), "must be known"),
        ({}, PIPELINE, Onnx("probabilities", "rows"), "no input 'rows'; it has window"),
        ({}, PIPELINE, Onnx("probabilities", state={"h": "said"}), "no input 'h'; it has window"),
        ({}, PIPELINE, Onnx("values"), "values need a unit"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_values(changes, pipeline, decoder, message):
    raw = graph()
    with pytest.raises(Mismatch, match=message):
        bring_in(raw, manifest_of(raw, **changes), pipeline, decoder)


def test_scores_are_not_taken_for_probabilities():
    raw = graph(probabilities=False)
    said = manifest_of(raw, shapes={"window": (1, 3, 50), "scores": (1, 2)})
    with pytest.raises(Mismatch, match='says = "scores"'):
        bring_in(raw, said, PIPELINE, Onnx("probabilities"))
    assert bring_in(raw, said, PIPELINE, Onnx("scores")).labels == ("left", "right")


def test_bytes_that_are_no_graph_are_refused():
    with pytest.raises(Mismatch, match="cannot run this graph"):
        bring_in(b"no graph", manifest_of(b"no graph"), PIPELINE, Onnx("probabilities"))


def test_a_state_is_carried_from_row_to_row():
    from onnx import TensorProto, helper

    def info(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])

    nodes = [
        helper.make_node("Add", ["row", "h_in"], ["h_out"]),
        helper.make_node("Identity", ["h_out"], ["total"]),
    ]
    made = helper.make_graph(
        nodes, "sum", [info("row"), info("h_in")], [info("total"), info("h_out")]
    )
    opset = [helper.make_opsetid("", 17)]
    raw = helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
    signal, recipe = Signal(10.0, ("a", "b"), "1"), Onnx("values", state={"h_in": "h_out"})
    said = ForeignManifest(
        hashlib.sha256(raw).hexdigest(),
        10.0,
        ("a", "b"),
        "1",
        ("x", "y"),
        dict.fromkeys(("row", "h_in", "total", "h_out"), (1, 2)),
        "m/s",
    )
    model = bring_in(raw, said, Pipeline(0.1), recipe)
    decoding = recipe.start(signal, model.labels, model.unit, model.weights)
    for n in range(1, 4):
        (command,) = decoding(Chunk(np.zeros(1), np.ones((1, 2))), Moment(n, 0.0))
        assert command.values == (n, n)
    (command,) = decoding(Chunk(np.zeros(3), np.ones((3, 2))), Moment(6, 0.0))
    assert command.values == (6.0, 6.0)
    assert (command.names, command.unit) == (("x", "y"), "m/s")


def test_a_manifest_is_read_and_unknown_keys_are_refused(tmp_path):
    said = manifest_of(graph())
    path = tmp_path / "manifest.toml"
    path.write_text(
        f'sha256 = "{said.sha256}"\nrate_hz = 100\nchannels = ["C3", "Cz", "C4"]\nunit = "uV"\n'
        'labels = ["left", "right"]\n[shapes]\nwindow = [1, 3, 50]\nsaid = [1, 2]\n'
    )
    assert read_manifest(path) == said
    path.write_text(path.read_text().replace("unit", "units"))
    with pytest.raises(Mismatch, match=r"manifest\.toml is no manifest of a network: .*unit"):
        read_manifest(path)


def test_a_graph_starts_no_threads():
    open_graph({"onnx": np.frombuffer(graph(batch=1), np.uint8)})  # what the library itself starts
    before = psutil.Process().num_threads()
    run = open_graph({"onnx": np.frombuffer(graph(batch=1, probabilities=False), np.uint8)})
    run()
    assert psutil.Process().num_threads() == before
