"""A trained network as an ONNX graph: what the live process runs instead of torch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["quantized", "to_onnx"]

_OPSET = 17


def to_onnx(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]
) -> NDArray[np.uint8]:
    """Return `network`, in the state it is in, as the bytes of an ONNX graph.

    The same network gives the same bytes. Shapes are fixed: those of the example inputs.

    Parameters
    ----------
    network
        Takes the inputs in order and gives the outputs in order.
    inputs
        An example of each, by the name it shall have. Recurrent state is an input ``state`` and
        an output ``next_state``, of the same shape.
    outputs
        Their names.
    """
    file = io.BytesIO()
    network.eval()
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter that replaces this one takes seconds for a small network, and writes the
        # paths of source files into the graph, so that equal networks would differ in their bytes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            file,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=_OPSET,
            dynamo=False,
        )
    return np.frombuffer(file.getvalue(), np.uint8)


def quantized(graph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the graph with the weights of its matrix products and LSTM cells in 8 bits.

    Weights are scaled by channel; activations are scaled as they come (dynamic quantisation).
    Convolutions stay in float32: in 8 bits they are slower on a CPU. Of a weight's 8 bits 7 are
    used: processors without VNNI add pairs of products in 16 bits, which 8 would overflow.
    """
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="int8-") as folder:
        before, ready, after = (Path(folder) / name for name in ("before", "ready", "after"))
        before.write_bytes(graph.tobytes())
        quant_pre_process(before, ready, skip_symbolic_shape=True)
        quantize_dynamic(
            ready,
            after,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return np.frombuffer(after.read_bytes(), np.uint8)
