"""A recurrent network of speech and its plain arrays, each made of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from decoders.decoder import Weights
from decoders.networks.speech_gru import GruShape, SpeechGru
from decoders.speech.gru_arrays import places
from decoders.training.front_arrays import Standard, array_of, front_arrays, front_state, loaded

__all__ = ["arrays_of", "network_of", "shape_of"]


def arrays_of(network: SpeechGru, standard: Standard, days: Sequence[int]) -> Weights:
    """Return the arrays of `decoders.speech.gru_arrays`.

    Parameters
    ----------
    network, standard
        The network, and what its rows pass before.
    days
        The session of each of its day layers.
    """
    shape, cells = network.shape, network.cells
    order = places(shape.patch, shape.stride)
    first = cells.weight_ih_l0.reshape(-1, shape.patch, shape.width)[:, order].transpose(0, 1)
    tensors = {
        "input": first,
        "deeper": _stacked(network, "weight_ih", range(1, shape.layers), shape.units),
        "hidden": _stacked(network, "weight_hh", range(shape.layers), shape.units),
        "input bias": _stacked(network, "bias_ih", range(shape.layers)),
        "hidden bias": _stacked(network, "bias_hh", range(shape.layers)),
        "initial": network.initial,
        "output": network.scores.weight,
        "output bias": network.scores.bias,
    }
    return {
        **front_arrays(network, standard, days),
        **{name: array_of(tensor) for name, tensor in tensors.items()},
    }


def network_of(
    weights: Weights, days: int, dropout_in: float = 0.0, dropout: float = 0.0
) -> SpeechGru:
    """Return the network of some arrays, with its newest `days` day layers."""
    shape = shape_of(weights)
    network = SpeechGru(shape, days, dropout_in, dropout)
    order = np.argsort(places(shape.patch, shape.stride))
    state = {
        **front_state(weights, days),
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
    return loaded(network, state)


def shape_of(weights: Weights) -> GruShape:
    """Return the sizes of the network that arrays are of."""
    patch, stride = (int(n) for n in weights["steps"])
    classes, units = weights["output"].shape
    return GruShape(
        features=weights["mean"].shape[-1],
        reduced=weights["reduce"].shape[1] if "reduce" in weights else 0,
        patch=patch,
        stride=stride,
        units=units,
        layers=len(weights["hidden"]),
        classes=classes,
    )


def _stacked(network: SpeechGru, name: str, layers: range, units: int = 0) -> Tensor:
    found = [getattr(network.cells, f"{name}_l{layer}") for layer in layers]
    # One layer alone has no deeper ones.
    return torch.stack(found) if found else torch.zeros(0, 3 * units, units)
