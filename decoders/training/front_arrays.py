"""What every network of speech begins with, and its plain arrays, each made of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decoders.decoder import Weights
from decoders.networks.speech_conformer import SpeechConformer
from decoders.networks.speech_gru import SpeechGru
from decoders.networks.standard import DayStandards, Standardized
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, floats

__all__ = [
    "Standard",
    "array_of",
    "front_arrays",
    "front_state",
    "loaded",
    "standard_of",
    "standards_of",
]

Standard = Standardized | DayStandards
"""What rows pass before a network: by the same numbers every day, or each day's own."""

Network = TypeVar("Network", SpeechGru, SpeechConformer)


def front_arrays(
    network: SpeechGru | SpeechConformer, standard: Standard, days: Sequence[int]
) -> Weights:
    """Return the arrays that a row passes before patches are made, and how they are made.

    Parameters
    ----------
    network, standard
        The network, and what its rows pass before.
    days
        The session of each of its day layers.
    """
    shape = network.shape
    tensors = {
        "mean": standard.mean.expand(len(days), -1),
        "inverse": standard.inverse.expand(len(days), -1),
        DAY_WEIGHT: network.day.departures + torch.eye(shape.features),
        DAY_BIAS: network.day.biases,
    }
    if shape.reduced:
        tensors["reduce"] = network.reduce.weight.T
    return {name: array_of(tensor) for name, tensor in tensors.items()} | {
        "limit": np.array([standard.limit], np.float32),
        "days": np.array(days, np.int64),
        "steps": np.array([shape.patch, shape.stride], np.int64),
    }


def front_state(weights: Weights, days: int) -> dict[str, NDArray[np.generic]]:
    """Return the network's parameters, with the newest `days` of the day layers."""
    matrices = floats(weights, DAY_WEIGHT)[-days:]
    state: dict[str, NDArray[np.generic]] = {
        "day.departures": matrices - np.eye(matrices.shape[1], dtype=np.float32),
        "day.biases": weights[DAY_BIAS][-days:],
    }
    if "reduce" in weights:
        state["reduce.weight"] = weights["reduce"].T
    return state


def standard_of(weights: Weights) -> Standardized:
    """Return what rows of the newest day pass before the network."""
    return standards_of(weights).of_day(-1)


def standards_of(weights: Weights) -> DayStandards:
    """Return what rows of each day pass before the network."""
    mean, inverse = (np.atleast_2d(floats(weights, name)).copy() for name in ("mean", "inverse"))
    return DayStandards(mean, inverse, float(floats(weights, "limit")[0]))


def loaded(network: Network, state: Weights) -> Network:
    """Give a network its parameters, by name, and return it."""
    network.load_state_dict(
        {name: torch.from_numpy(np.array(a, np.float32)) for name, a in state.items()}
    )
    return network


def array_of(tensor: Tensor) -> NDArray[np.float32]:
    """Return a parameter as an array of its own."""
    array: NDArray[np.float32] = tensor.detach().contiguous().numpy().copy()
    return array
