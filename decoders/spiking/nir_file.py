"""Spiking networks as NIR, the format that the tool chains of neuromorphic hardware share.

Lava (Loihi 2), py-spinnaker2, Rockpool (Xylo), Sinabs (Speck), snnTorch, Norse, Nengo and Spyx read
it. The graph is `Input → Affine → LIF → … → Affine → LI → Output`, with a `Linear` from a LIF back
to itself where its population is recurrent. Parameters are written as they are, so what is read
back is the same to the bit. What a graph does not say stands in its metadata: the tick, and the
model's manifest.

Errors::

    NirError    no network that this decoder can run; says what is in the way
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from decoders.artifact import Artifact
from decoders.spiking.network import Network, Population, Readout
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["NirError", "export_model", "from_graph", "import_model", "to_graph"]

_MANIFEST = "bci_server_model"
_NEURON = ("r", "v_leak", "v_threshold", "v_reset")


class NirError(Mismatch):
    """A graph is no network that this decoder runs, or a model none that NIR holds; says why."""


def export_model(model: Artifact, path: Path) -> None:
    """Write the network of a `spiking` model to a new NIR file.

    Raises
    ------
    NirError
        The model is of another kind, or there is such a file.
    """
    nir = _nir()
    if model.kind != "spiking":
        raise NirError(
            f"a model of kind {model.kind!r} has no spiking neurons; NIR takes 'spiking'"
        )
    if path.exists():
        raise NirError(f"{path} is there already; name a new file")
    graph = to_graph(Network.of(model.weights))
    graph.metadata[_MANIFEST] = json.dumps(_manifest(model), sort_keys=True)
    new = path.with_name(f".{path.name}.new")
    nir.write(new, graph)
    new.replace(path)


def import_model(path: Path) -> Artifact:
    """Read a model back from a NIR file that `export_model` wrote; its hash is what it was.

    Raises
    ------
    NirError
        It is no NIR file, or one without a model's manifest, or of another shape.
    """
    graph = _read(path)
    if _MANIFEST not in graph.metadata:
        raise NirError(
            f"{path} does not say what its inputs and outputs mean; take its network with "
            "from_graph, and make an Artifact of it"
        )
    manifest = json.loads(_text(graph.metadata[_MANIFEST]))
    signal = manifest.pop("signal")
    return Artifact(
        **manifest | {"labels": tuple(manifest["labels"])},
        signal=Signal(signal["rate_hz"], tuple(signal["channels"]), signal["unit"]),
        weights=from_graph(graph).arrays(),
    )


def to_graph(network: Network) -> Any:
    """Return `network` as a ``nir.NIRGraph``."""
    nir = _nir()
    nodes: dict[str, Any] = {"input": nir.Input(np.array([network.n_inputs]))}
    edges: list[tuple[str, str]] = []
    last = "input"
    for i, population in enumerate(network.populations):
        weight, neurons = f"weight_{i}", f"population_{i}.lif"
        nodes[weight] = nir.Affine(population.weight, population.bias)
        nodes[neurons] = nir.LIF(
            tau=population.tau_s, **{name: getattr(population, name) for name in _NEURON}
        )
        edges += [(last, weight), (weight, neurons)]
        if population.recurrent is not None:
            recurrent = f"population_{i}.w_rec"
            nodes[recurrent] = nir.Linear(population.recurrent)
            edges += [(neurons, recurrent), (recurrent, neurons)]
        last = neurons
    readout = network.readout
    nodes["weight_out"] = nir.Affine(readout.weight, readout.bias)
    nodes["readout"] = nir.LI(tau=readout.tau_s, r=readout.r, v_leak=readout.v_leak)
    nodes["output"] = nir.Output(np.array([len(readout.bias)]))
    edges += [(last, "weight_out"), ("weight_out", "readout"), ("readout", "output")]
    return nir.NIRGraph(nodes, edges, metadata={"tick_s": network.tick_s, "ticks": network.ticks})


def from_graph(graph: Any, tick_s: float | None = None, ticks: int | None = None) -> Network:
    """Return the network that a ``nir.NIRGraph`` is.

    Parameters
    ----------
    graph
        Of the shape that `to_graph` gives, with any names; a `Linear` may stand for an `Affine`.
    tick_s, ticks
        Length of a step and steps a row; None: those in the graph's metadata.

    Raises
    ------
    NirError
        It is of another shape, or does not say the tick.
    """
    for name, given in (("tick_s", tick_s), ("ticks", ticks)):
        if given is None and name not in graph.metadata:
            raise NirError(f"the graph does not say {name}; give it")
    chain, recurrent = _chain(graph)
    kinds = [type(graph.nodes[name]).__name__ for name in chain]
    inner = [("Affine" if kind == "Linear" else kind) for kind in kinds]
    pairs = (len(chain) - 4) // 2
    if inner != ["Input", *["Affine", "LIF"] * pairs, "Affine", "LI", "Output"] or not pairs:
        raise NirError(
            "this decoder runs Input → Affine → LIF → … → Affine → LI → Output; the graph is "
            + " → ".join(kinds)
        )
    nodes = [graph.nodes[name] for name in chain]
    populations = tuple(
        _population(nodes[i], nodes[i + 1], graph.nodes.get(recurrent.get(chain[i + 1], "")))
        for i in range(1, 1 + 2 * pairs, 2)
    )
    return Network(
        populations,
        Readout(*_affine(nodes[-3]), nodes[-2].tau, nodes[-2].r, nodes[-2].v_leak),
        float(graph.metadata["tick_s"] if tick_s is None else tick_s),
        int(graph.metadata["ticks"] if ticks is None else ticks),
    )


def _population(affine: Any, lif: Any, recurrent: Any) -> Population:
    weight, bias = _affine(affine)
    return Population(
        weight,
        bias,
        None if recurrent is None else recurrent.weight,
        lif.tau,
        *(getattr(lif, name) for name in _NEURON),
    )


def _affine(node: Any) -> tuple[Any, Any]:
    bias = getattr(node, "bias", None)
    return node.weight, np.zeros(len(node.weight), node.weight.dtype) if bias is None else bias


def _chain(graph: Any) -> tuple[list[str], dict[str, str]]:
    """Return the nodes from the input to the output, and which node feeds each one back to itself.

    Raises
    ------
    NirError
        The graph branches otherwise, or has no end.
    """
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        after[source].append(target)
    loops = {
        lif: node
        for lif in after
        for node in after[lif]
        if after[node] == [lif] and type(graph.nodes[node]).__name__ == "Linear"
    }
    starts = [n for n, node in graph.nodes.items() if type(node).__name__ == "Input"]
    if len(starts) != 1:
        raise NirError(f"the graph has {len(starts)} inputs; this decoder takes one")
    chain = list(starts)
    while following := [n for n in after[chain[-1]] if loops.get(chain[-1]) != n]:
        _check_one(chain, following)
        chain += following
    return chain, loops


def _check_one(chain: Sequence[str], following: Sequence[str]) -> None:
    if len(following) > 1:
        raise NirError(f"the graph parts after {chain[-1]!r} to {', '.join(following)}")
    if following[0] in chain:
        raise NirError(f"the graph leads from {chain[-1]!r} back to {following[0]!r}")


def _read(path: Path) -> Any:
    nir = _nir()
    if not path.is_file():
        raise NirError(f"there is no file {path}")
    try:
        return nir.read(path)
    except (OSError, KeyError, ValueError, AssertionError) as error:
        raise NirError(f"{path} is no NIR file: {error}") from error


def _manifest(model: Artifact) -> dict[str, Any]:
    signal = model.signal
    said = {f.name: getattr(model, f.name) for f in fields(model) if f.name != "weights"}
    said["signal"] = {
        "rate_hz": signal.rate_hz,
        "channels": list(signal.channels),
        "unit": signal.unit,
    }
    return said | {"labels": list(model.labels)}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise NirError(
            "NIR files need the package nir; pip install 'bci-server[spiking]'"
        ) from error
    return nir
