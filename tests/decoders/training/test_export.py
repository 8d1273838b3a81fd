import numpy as np
import pytest
import torch
from torch import nn

from decoders.onnx.graph import GRAPH, open_graph
from decoders.training.export import quantized, to_onnx


class Counter(nn.Module):
    """Adds up what it is given, and says the sum of it through a layer."""

    def __init__(self, width=4):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(width, 2)

    def forward(self, row, state):
        total = state + row
        return self.layer(total), total


def graph_of(network, **inputs):
    return to_onnx(
        network, {k: torch.zeros(v) for k, v in inputs.items()}, ["values", "next_state"]
    )


def test_the_graph_says_what_torch_says_and_carries_its_state():
    network = Counter()
    run = open_graph({GRAPH: graph_of(network, row=(1, 4), state=(1, 4))})
    rows = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    for n, row in enumerate(rows, 1):
        run.inputs["row"][...] = row
        run()
        with torch.no_grad():
            said, _ = network(torch.zeros(1, 4), torch.from_numpy(rows[:n].sum(0, keepdims=True)))
        assert run.outputs["values"] == pytest.approx(said.numpy(), abs=1e-5)


def test_runs_of_one_graph_share_nothing_that_changes():
    weights = {GRAPH: graph_of(Counter(), row=(1, 4), state=(1, 4))}
    one, other = open_graph(weights), open_graph(weights)
    one.inputs["row"][...] = 1.0
    one()
    assert (one.inputs["state"] == 1.0).all()
    assert (other.inputs["state"] == 0.0).all()
    other()
    assert (other.outputs["next_state"] == 0.0).all()


def test_one_network_gives_one_sequence_of_bytes():
    assert (
        graph_of(Counter(), row=(1, 4), state=(1, 4)).tobytes()
        == graph_of(Counter(), row=(1, 4), state=(1, 4)).tobytes()
    )


def test_eight_bits_are_fewer_and_nearly_as_good():
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 2)).eval()
    graph = to_onnx(network, {"row": torch.zeros(1, 64)}, ["values"])
    small = quantized(graph)
    assert len(small) < 0.5 * len(graph)
    exact, near = open_graph({GRAPH: graph}), open_graph({GRAPH: small})
    for row in np.random.default_rng(0).standard_normal((20, 64)):
        exact.inputs["row"][...] = near.inputs["row"][...] = row
        exact()
        near()
        assert near.outputs["values"] == pytest.approx(exact.outputs["values"], abs=0.05)
    assert (near.outputs["values"] != exact.outputs["values"]).any()
