"""A network as a live process runs it: an ONNX graph in ONNX Runtime, on one thread, no torch.

The graph is part of a model's weights, the array ``onnx`` of its bytes: one file, one hash.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.stage import Mismatch

__all__ = ["GRAPH", "STATE", "GraphRun", "open_graph"]

GRAPH = "onnx"
"""Name of the array of weights that holds the graph's bytes."""

STATE = "state"
"""Recurrent state: the input of this name takes what the output ``next_state`` gave."""

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class GraphRun:
    """One stream's run of a graph: its inputs and outputs lie in memory that stays.

    Attributes
    ----------
    inputs, outputs
        By name: write the one before a call, read the other after it.
    """

    def __init__(self, session: Any) -> None:
        self.inputs = {i.name: _array(i) for i in session.get_inputs()}
        self.outputs = {o.name: _array(o) for o in session.get_outputs()}
        self._run = session.run_with_iobinding
        self._binding = session.io_binding()
        for name, array in self.inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._states = [
            (self.inputs[name], self.outputs[f"next_{name}"])
            for name in self.inputs
            if f"next_{name}" in self.outputs
        ]

    def __call__(self) -> None:
        """Compute the outputs of the inputs, and let each state be what it has become."""
        self._run(self._binding)
        for state, following in self._states:
            state[...] = following


def open_graph(weights: Weights) -> GraphRun:
    """Start a run of the graph in `weights`. The graph itself is read once and shared.

    Raises
    ------
    Mismatch
        ONNX Runtime is not installed, or the bytes are no graph that it can run.
    """
    return GraphRun(_session(weights[GRAPH].tobytes()))


@functools.lru_cache(maxsize=8)  # a run starts anew after each gap, and must not wait for this
def _session(graph: bytes) -> Any:
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
        if odd := [i for i in (*session.get_inputs(), *session.get_outputs()) if not _is_fixed(i)]:
            raise Mismatch(
                f"{odd[0].name!r} of the graph has the shape {odd[0].shape} of {odd[0].type}; "
                f"every shape must be fixed, and of {', '.join(_DTYPES)}"
            )
        # The first run allocates.
        GraphRun(session)()
    except (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented) as e:
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
    # Numbers too small for a normal float would take a hundred times as long.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def _is_fixed(node: Any) -> bool:
    return node.type in _DTYPES and all(isinstance(n, int) and n > 0 for n in node.shape)


def _array(node: Any) -> NDArray[Any]:
    return np.zeros(node.shape, _DTYPES[node.type])
