"""Networks on the command line: one is trained in a process of its own, another brought in."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError, Exit
from decoders.artifact import Artifact
from decoders.stage import Mismatch


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments)])


def with_network(session_file: Path, decoder: str) -> Path:
    """Let the session read windows of 0.5 s, and decode them with a network."""
    text = session_file.read_text()
    text = text.replace('kind = "covariance"\nwindow_s = 1.0', 'kind = "window"\nwindow_s = 0.5')
    session_file.write_text(text.replace('kind = "tangent_space"', decoder))
    return session_file


def test_a_network_is_trained_apart_and_leaves_no_checkpoints(
    session_file: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    session = with_network(session_file, 'kind = "eegnet"\nepochs = 1\nfolds = 1\nf1 = 2')
    result = run("calibrate", session, recordings[0], "-o", tmp_path / "fitted", "--json")
    assert result.exit_code == Exit.OK, result.output
    model = Artifact.load(tmp_path / "fitted")
    assert json.loads(result.stdout)["hash"] == model.hash
    assert set(model.weights) == {"onnx"}
    assert model.metrics["folds"] == 1
    assert "torch" in model.versions
    assert not (tmp_path / "fitted.training").exists()
    scored = run("evaluate", session, recordings[1], "--model", tmp_path / "fitted", "--json")
    assert json.loads(scored.stdout)["n_trials"] > 5


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Return a network that finds both classes equally likely, whatever it sees."""
    from onnx import TensorProto, helper

    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("window", [1, 3, 125]), ("scores", [1, 2]))
    ]
    nodes = [
        helper.make_node("ReduceMean", ["window"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["mean", "mean"], ["zero"]),
        helper.make_node("Concat", ["zero", "zero"], ["flat"], axis=0),
        helper.make_node("Unsqueeze", ["flat", "axes"], ["scores"]),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [0])
    made = helper.make_graph(nodes, "even", info[:1], info[1:], [axes])
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "theirs.onnx"
    path.write_bytes(helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())
    return path


def manifest(graph: Path, rate_hz: int = 250) -> Path:
    path = graph.with_suffix(".toml")
    path.write_text(
        f'sha256 = "{hashlib.sha256(graph.read_bytes()).hexdigest()}"\nrate_hz = {rate_hz}\n'
        'channels = ["C3", "Cz", "C4"]\nunit = "uV"\nlabels = ["left", "right"]\n'
        "[shapes]\nwindow = [1, 3, 125]\nscores = [1, 2]\n"
    )
    return path


def test_a_network_of_others_is_brought_in_and_scored(
    session_file: Path, recordings: tuple[Path, Path], graph: Path
) -> None:
    session = with_network(session_file, 'kind = "onnx"\nsays = "scores"')
    result = run("import", session, graph, manifest(graph))
    assert result.exit_code == Exit.OK, result.output
    assert "onnx" in result.stdout
    scored = json.loads(run("evaluate", session, recordings[0], "--json").stdout)
    assert scored["metrics"]["accuracy"] == pytest.approx(0.5, abs=0.1)
    again = run("import", session, graph, manifest(graph))
    assert isinstance(again.exception, CommandError)
    assert run("import", session, graph, manifest(graph), "--replace").exit_code == Exit.OK


def test_one_of_another_rate_or_for_another_kind_of_session_is_refused(
    session_file: Path, graph: Path
) -> None:
    for_another = run("import", session_file, graph, manifest(graph))
    assert "'tangent_space'" in str(for_another.exception)
    session = with_network(session_file, 'kind = "onnx"\nsays = "scores"')
    other_rate = run("import", session, graph, manifest(graph, 500))
    assert isinstance(other_rate.exception, Mismatch)
    assert "375 features; the steps put out 750" in str(other_rate.exception)


def test_a_network_of_others_is_not_fitted(
    session_file: Path, recordings: tuple[Path, Path]
) -> None:
    session = with_network(session_file, 'kind = "onnx"\nsays = "scores"')
    result = run("calibrate", session, recordings[0])
    assert isinstance(result.exception, Mismatch)
    assert "bci import" in str(result.exception)
