"""A recurrent network of speech and its plain arrays, each made of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decoders.decoder import Weights
from decoders.networks.speech_gru import GruShape, SpeechGru
from decoders.networks.standard import Standardized
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, floats, places

__all__ = ["arrays_of", "network_of", "shape_of", "standard_of"]


def arrays_of(network: SpeechGru, standard: Standardized, days: Sequence[int]) -> Weights:
    """Return the arrays of `decoders.speech.gru_arrays`.

    Parameters
    ----------
    network, standard
        The network, and what its rows pass before.
    days
        The session of each of its day layers.
    """
    shape, cells = network.shape, network.cells
    eye = torch.eye(shape.features)
    order = places(shape.patch, shape.stride)
    first = cells.weight_ih_l0.reshape(-1, shape.patch, shape.width)[:, order].transpose(0, 1)
    tensors = {
        "mean": standard.mean,
        "inverse": standard.inverse,
        DAY_WEIGHT: network.day.departures + eye,
        DAY_BIAS: network.day.biases,
        "input": first,
        "deeper": _stacked(network, "weight_ih", range(1, shape.layers), shape.units),
        "hidden": _stacked(network, "weight_hh", range(shape.layers), shape.units),
        "input bias": _stacked(network, "bias_ih", range(shape.layers)),
        "hidden bias": _stacked(network, "bias_hh", range(shape.layers)),
        "initial": network.initial,
        "output": network.scores.weight,
        "output bias": network.scores.bias,
    }
    if shape.reduced:
        tensors["reduce"] = network.reduce.weight.T
    return {name: _array(tensor) for name, tensor in tensors.items()} | {
        "limit": np.array([standard.limit], np.float32),
        "days": np.array(days, np.int64),
        "steps": np.array([shape.patch, shape.stride], np.int64),
    }


def network_of(
    weights: Weights, days: int, dropout_in: float = 0.0, dropout: float = 0.0
) -> SpeechGru:
    """Return the network of some arrays, with `days` day layers, each the newest one's."""
    shape = shape_of(weights)
    network = SpeechGru(shape, days, dropout_in, dropout)
    order = np.argsort(places(shape.patch, shape.stride))
    state = {
        "day.departures": np.repeat(
            floats(weights, DAY_WEIGHT)[-1:] - np.eye(shape.features, dtype=np.float32), days, 0
        ),
        "day.biases": np.repeat(weights[DAY_BIAS][-1:], days, 0),
        "cells.weight_ih_l0": weights["input"][order]
        .transpose(1, 0, 2)
        .reshape(3 * shape.units, -1),
        "scores.weight": weights["output"],
        "scores.bias": weights["output bias"],
        "initial": weights["initial"],
    }
    for layer in range(shape.layers):
        if layer:
            state[f"cells.weight_ih_l{layer}"] = weights["deeper"][layer - 1]
        state[f"cells.weight_hh_l{layer}"] = weights["hidden"][layer]
        state[f"cells.bias_ih_l{layer}"] = weights["input bias"][layer]
        state[f"cells.bias_hh_l{layer}"] = weights["hidden bias"][layer]
    if shape.reduced:
        state["reduce.weight"] = weights["reduce"].T
    network.load_state_dict(
        {name: torch.from_numpy(np.array(a, np.float32)) for name, a in state.items()}
    )
    return network


def shape_of(weights: Weights) -> GruShape:
    """Return the sizes of the network that arrays are of."""
    patch, stride = (int(n) for n in weights["steps"])
    classes, units = weights["output"].shape
    return GruShape(
        features=len(weights["mean"]),
        reduced=weights["reduce"].shape[1] if "reduce" in weights else 0,
        patch=patch,
        stride=stride,
        units=units,
        layers=len(weights["hidden"]),
        classes=classes,
    )


def standard_of(weights: Weights) -> Standardized:
    """Return what the network's rows pass before."""
    mean, inverse = (floats(weights, name).copy() for name in ("mean", "inverse"))
    return Standardized(mean, inverse, float(floats(weights, "limit")[0]))


def _stacked(network: SpeechGru, name: str, layers: range, units: int = 0) -> Tensor:
    found = [getattr(network.cells, f"{name}_l{layer}") for layer in layers]
    # One layer alone has no deeper ones.
    return torch.stack(found) if found else torch.zeros(0, 3 * units, units)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().contiguous().numpy().copy()
    return array
