"""Trained networks that read the last rows together, as weights: a graph of one such look."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.decoder import Training, Weights
from decoders.onnx.graph import GRAPH, GraphRun
from decoders.training.export import to_onnx
from decoders.training.recurrent import checked_int8
from decoders.training.values import Trainees

__all__ = ["Newest", "history_weights"]


class Newest(nn.Module):
    """What several networks say, on average, of the newest of some rows.

    Parameters
    ----------
    trainees
        Their members turn (n, n_rows, n_features) into (n, n_rows, n_values).
    """

    def __init__(self, trainees: Trainees) -> None:
        super().__init__()
        self.before, self.after = trainees.before, trainees.after
        self.members = nn.ModuleList(trainees.members)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (n, n_values) of rows (n, n_rows, n_features)."""
        read = self.before(rows)
        said = torch.stack([member(read)[:, -1] for member in self.members])
        values: Tensor = self.after(said.mean(dim=0))
        return values


def history_weights(
    trainees: Trainees,
    training: Training,
    history: int,
    precision: Literal["float32", "int8"] = "float32",
    validation: float = 0.2,
) -> Weights:
    """Return the graph ``rows`` → ``values`` of all networks; the rest as in `recurrent_weights`.

    Raises
    ------
    Mismatch
        The accuracy does not bear 8-bit weights.
    """
    rows = torch.zeros(1, history, training.features.shape[1])
    graph = to_onnx(Newest(trainees).eval(), {"rows": rows}, ["values"])
    if precision == "float32":
        return {GRAPH: graph}

    def look(run: GraphRun, features: NDArray[np.float64]) -> NDArray[np.float64]:
        said = []
        for end in range(history, len(features) + 1):
            run.inputs["rows"][0] = features[end - history : end]
            run()
            said.append(run.outputs["values"][0].astype(np.float64))
        return np.array(said)

    return checked_int8(graph, training, validation, look)
