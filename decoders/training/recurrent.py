"""Trained recurrent networks as weights: a graph of one step, whose state goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from decoders.decoder import Training, Weights
from decoders.networks.recurrent import RecurrentStep
from decoders.onnx.graph import GRAPH, GraphRun, open_graph
from decoders.stage import Mismatch
from decoders.training.export import quantized, to_onnx
from decoders.training.parts import held_out_rows
from decoders.training.values import Trainees

__all__ = ["checked_int8", "recurrent_weights", "steps"]

_MOST_LOST = 0.01


def recurrent_weights(
    trainees: Trainees,
    training: Training,
    precision: Literal["float32", "int8"] = "float32",
    validation: float = 0.2,
) -> Weights:
    """Return the graph of a step of all networks: ``row``, ``state`` → ``values``, ``next_state``.

    Parameters
    ----------
    trainees
        Their members have ``step(row, state)`` and ``state_shape``, as `networks.recurrent` does.
    training
        What they were trained on.
    precision, validation
        8-bit weights are checked on the last `validation` of the training.

    Raises
    ------
    Mismatch
        The accuracy does not bear 8-bit weights.
    """
    network = steps(trainees)
    row = torch.zeros(1, training.features.shape[1])
    shape: tuple[int, ...] = trainees.members[0].state_shape
    state = torch.zeros(len(trainees.members), *shape)
    graph = to_onnx(network, {"row": row, "state": state}, ["values", "next_state"])
    if precision == "float32":
        return {GRAPH: graph}
    return checked_int8(graph, training, validation, _follow)


def steps(trainees: Trainees) -> nn.Module:
    """Return one step of all networks, from a row to values in their unit."""
    return RecurrentStep(trainees.before, trainees.members, trainees.after).eval()


def checked_int8(
    graph: NDArray[np.uint8],
    training: Training,
    validation: float,
    said_of: Callable[[GraphRun, NDArray[np.float64]], NDArray[np.float64]],
) -> Weights:
    """Return the graph in 8 bits, with ``int8_r2``: mean R² before and after, where it holds.

    Parameters
    ----------
    graph
        In float32.
    training, validation
        The last share `validation` of the rows is what both are compared on.
    said_of
        Runs a graph over rows; returns what it says of the last ones.

    Raises
    ------
    Mismatch
        The mean R² falls by more than 0.01.
    """
    rows = held_out_rows(len(training.features), validation, 0)
    weights: list[Weights] = [{GRAPH: graph}, {GRAPH: quantized(graph)}]
    r2 = [
        _mean_r2(training.targets[rows], said_of(open_graph(w), training.features[rows]))
        for w in weights
    ]
    if r2[0] - r2[1] > _MOST_LOST:
        raise Mismatch(
            f"on the validation part R² is {r2[0]:.3f} with float32 weights and {r2[1]:.3f} with "
            '8-bit ones; set precision = "float32"'
        )
    return {**weights[1], "int8_r2": np.array(r2)}


def _follow(run: GraphRun, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    said = []
    for row in rows:
        run.inputs["row"][...] = row
        run()
        said.append(run.outputs["values"][0].astype(np.float64))
    return np.array(said)


def _mean_r2(truth: NDArray[np.generic], said: NDArray[np.float64]) -> float:
    meant = truth[len(truth) - len(said) :].astype(np.float64)
    left = ((meant - said) ** 2).sum(axis=0)
    total = ((meant - meant.mean(axis=0)) ** 2).sum(axis=0)
    return float(np.mean(1 - left / np.maximum(total, np.finfo(np.float64).tiny)))
