"""A network as a live process runs it: an ONNX graph in ONNX Runtime, on one thread, no torch.

The graph is part of a model's weights, the array ``onnx`` of its bytes: one file, one hash.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.stage import Mismatch

__all__ = ["GRAPH", "SHAPE", "GraphRun", "open_graph"]

GRAPH = "onnx"
"""Name of the array of weights that holds the graph's bytes."""

SHAPE = "shape of "
"""Begins the names of arrays of weights that hold the shape of an input or output, where the graph
itself leaves it open."""

Shape = tuple[int, ...]

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class GraphRun:
    """One stream's run of a graph: its inputs and outputs lie in memory that stays.

    Parameters
    ----------
    session
        ONNX Runtime's; shared.
    shapes
        Of inputs and outputs; the graph's own for those that are not there.
    state
        Which input takes, at each step, what which output gave at the last one. Inputs begin at 0.

    Attributes
    ----------
    inputs, outputs
        By name: write the one before a call, read the other after it.
    """

    def __init__(self, session: Any, shapes: Mapping[str, Shape], state: Mapping[str, str]) -> None:
        self.inputs = {i.name: _array(i, shapes) for i in session.get_inputs()}
        self.outputs = {o.name: _array(o, shapes) for o in session.get_outputs()}
        self._run = session.run_with_iobinding
        self._binding = session.io_binding()
        for name, array in self.inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._states = [(self.inputs[i], self.outputs[o]) for i, o in state.items()]

    def __call__(self) -> None:
        """Compute the outputs of the inputs, and let each state be what it has become."""
        self._run(self._binding)
        for state, following in self._states:
            state[...] = following


def open_graph(weights: Weights, state: Mapping[str, str] | None = None) -> GraphRun:
    """Start a run of the graph in `weights`. The graph itself is read once and shared.

    Parameters
    ----------
    weights
        The graph, and shapes that it leaves open.
    state
        As in `GraphRun`; None: the input ``state`` takes the output ``next_state``, if it is there.

    Raises
    ------
    Mismatch
        ONNX Runtime is not installed, or the bytes are no graph that it can run.
    """
    shapes = {
        name.removeprefix(SHAPE): tuple(int(n) for n in array)
        for name, array in weights.items()
        if name.startswith(SHAPE)
    }
    session = _session(weights[GRAPH].tobytes(), tuple(sorted(shapes.items())))
    if state is None:
        has_state = any(i.name == "state" for i in session.get_inputs())
        state = {"state": "next_state"} if has_state else {}
    return GraphRun(session, shapes, state)


@functools.lru_cache(maxsize=8)  # a run starts anew after each gap, and must not wait for this
def _session(graph: bytes, shapes: tuple[tuple[str, Shape], ...]) -> Any:
    try:
        import onnxruntime
    except ImportError as e:
        raise Mismatch(
            "this decoder runs in ONNX Runtime, which is not installed; "
            "pip install 'bci-server[onnx]'"
        ) from e
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        session = onnxruntime.InferenceSession(
            graph, _options(onnxruntime), providers=["CPUExecutionProvider"]
        )
        for node in (*session.get_inputs(), *session.get_outputs()):
            _check_shape(node, dict(shapes))
        # The first run allocates.
        GraphRun(session, dict(shapes), {})()
    except _errors(errors) as e:
        raise Mismatch(f"ONNX Runtime cannot run this graph: {e}") from e
    return session


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Threads that spin between blocks would take a core from the rest of the line.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Not ``session.set_denormal_as_zero``: it changes the arithmetic of the whole thread, also of
    # the filters and the gate.
    return options


def _errors(module: Any) -> tuple[type[Exception], ...]:
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    return tuple(getattr(module, name) for name in names)


def _check_shape(node: Any, shapes: Mapping[str, Shape]) -> None:
    said = shapes.get(node.name, node.shape)
    agrees = len(said) == len(node.shape) and all(
        n == own or not isinstance(own, int) for n, own in zip(said, node.shape, strict=False)
    )
    if not agrees:
        raise Mismatch(f"{node.name!r} is said to be {list(said)}; in the graph it is {node.shape}")
    if node.type not in _DTYPES or not all(isinstance(n, int) and n > 0 for n in said):
        raise Mismatch(
            f"{node.name!r} of the graph is {node.type} of {list(said)}; every shape must be "
            f"known, and of {', '.join(_DTYPES)}"
        )


def _array(node: Any, shapes: Mapping[str, Shape]) -> NDArray[Any]:
    return np.zeros(shapes.get(node.name, node.shape), _DTYPES[node.type])
