"""Networks that go through a NIR file, and what snnTorch makes of it."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoders.artifact import Artifact
from decoders.describe import describe, describe_pipeline
from decoders.models.ridge import Ridge
from decoders.pipeline import Pipeline
from decoders.spiking.network import Network, raster
from decoders.spiking.nir_file import NirError, export_model, from_graph, import_model, to_graph
from devices.signal import Signal
from tests.decoders.spiking.made import drawn

nir = pytest.importorskip("nir")


def model_of(network: Network) -> Artifact:
    signal = Signal(20.0, tuple(f"u{i}" for i in range(network.n_inputs)), "count")
    return Artifact(
        {"kind": "spiking", "neurons": [12, 9]},
        describe_pipeline(Pipeline(0.05)),
        signal,
        ("vx", "vy"),
        "m/s",
        network.arrays(),
        "0" * 64,
        {"r2": [0.8, 0.7]},
        {"numpy": np.__version__},
    )


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_network_spikes_the_same_after_a_file_to_the_bit(tmp_path: Path, recurrent: bool) -> None:
    network = drawn(recurrent=recurrent)
    nir.write(tmp_path / "n.nir", to_graph(network))
    again = from_graph(nir.read(tmp_path / "n.nir"))
    before, after = network.arrays(), again.arrays()
    assert {k: (v.dtype, v.tobytes()) for k, v in before.items()} == {
        k: (v.dtype, v.tobytes()) for k, v in after.items()
    }
    rows = np.random.default_rng(1).standard_normal((200, network.n_inputs))
    (spikes, said), (spikes_again, said_again) = raster(network, rows), raster(again, rows)
    assert all(s.any() for s in spikes)
    assert all((a == b).all() for a, b in zip(spikes, spikes_again, strict=True))
    assert said.tobytes() == said_again.tobytes()


def test_a_model_comes_back_with_its_hash(tmp_path: Path) -> None:
    model = model_of(drawn())
    export_model(model, tmp_path / "m.nir")
    assert import_model(tmp_path / "m.nir").hash == model.hash


def test_snntorch_reads_the_file_and_spikes_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("nirtorch")
    from snntorch.import_nir import import_from_nir

    # snnTorch reads neurons that leak to 0, are set back to 0 and have one threshold and leak, and
    # takes a tick of 0.1 ms for granted.
    network = replace(drawn(neurons=(12,), recurrent=False), tick_s=1e-4)
    (population,) = network.populations
    n = len(population.bias)
    tau_s = np.full(n, 4e-4, np.float32)
    plain = replace(
        population,
        tau_s=tau_s,
        r=tau_s / np.float32(network.tick_s),
        v_leak=np.zeros(n, np.float32),
        v_threshold=np.ones(n, np.float32),
        v_reset=np.zeros(n, np.float32),
    )
    network = replace(network, populations=(plain,))
    graph = to_graph(network)
    spiking = nir.NIRGraph(
        {name: graph.nodes[name] for name in ("input", "weight_0", "population_0.lif")}
        | {"output": nir.Output(np.array([n]))},
        [("input", "weight_0"), ("weight_0", "population_0.lif"), ("population_0.lif", "output")],
    )
    nir.write(tmp_path / "n.nir", spiking)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = import_from_nir(nir.read(tmp_path / "n.nir"))
    rows = np.random.default_rng(4).standard_normal((60, network.n_inputs)).astype(np.float32)
    ((fired,), _) = raster(network, rows)
    with torch.no_grad():
        entering = torch.from_numpy(np.repeat(rows, network.ticks, axis=0))
        said = [theirs(row)[0].numpy() > 0 for row in entering]
    assert 0.02 < fired.mean() < 0.9
    assert (np.array(said).reshape(fired.shape) == fired).all()


def test_a_graph_of_another_shape_is_refused_by_what_it_is() -> None:
    graph = to_graph(drawn(neurons=(4,), recurrent=False))
    del graph.nodes["readout"]
    graph.edges = [("input", "weight_0"), ("weight_0", "population_0.lif")]
    graph.edges += [("population_0.lif", "weight_out"), ("weight_out", "output")]
    with pytest.raises(NirError, match="the graph is Input → Affine → LIF → Affine → Output"):
        from_graph(graph)


def test_a_graph_that_parts_is_refused() -> None:
    graph = to_graph(drawn(neurons=(4,), recurrent=False))
    graph.edges.append(("population_0.lif", "output"))
    with pytest.raises(NirError, match=r"parts after 'population_0\.lif'"):
        from_graph(graph)


def test_a_graph_without_a_tick_needs_one() -> None:
    network = drawn()
    graph = to_graph(network)
    graph.metadata = {}
    with pytest.raises(NirError, match="does not say tick_s"):
        from_graph(graph)
    assert from_graph(graph, network.tick_s, network.ticks).ticks == network.ticks


def test_what_is_no_spiking_model_or_no_file_is_said(tmp_path: Path) -> None:
    model = model_of(drawn())
    with pytest.raises(NirError, match="kind 'ridge'"):
        export_model(replace(model, decoder=describe(Ridge())), tmp_path / "m.nir")
    export_model(model, tmp_path / "m.nir")
    with pytest.raises(NirError, match="there already"):
        export_model(model, tmp_path / "m.nir")
    (tmp_path / "text.nir").write_text("no HDF5")
    with pytest.raises(NirError, match=r"text\.nir is no NIR file"):
        import_model(tmp_path / "text.nir")
    with pytest.raises(NirError, match="there is no file"):
        import_model(tmp_path / "none.nir")
    nir.write(tmp_path / "bare.nir", to_graph(drawn()))
    with pytest.raises(NirError, match="does not say what its inputs and outputs mean"):
        import_model(tmp_path / "bare.nir")
