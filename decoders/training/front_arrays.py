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
from decoders.networks.standard import Standardized
from decoders.speech.gru_arrays import DAY_BIAS, DAY_WEIGHT, floats

__all__ = ["array_of", "front_arrays", "front_state", "loaded", "standard_of"]

Network = TypeVar("Network", SpeechGru, SpeechConformer)


def front_arrays(
    network: SpeechGru | SpeechConformer, standard: Standardized, days: Sequence[int]
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
        "mean": standard.mean,
        "inverse": standard.inverse,
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
    """Return the network's parameters, with `days` day layers, each the newest one's."""
    features = len(weights["mean"])
    departures = floats(weights, DAY_WEIGHT)[-1:] - np.eye(features, dtype=np.float32)
    state: dict[str, NDArray[np.generic]] = {
        "day.departures": np.repeat(departures, days, 0),
        "day.biases": np.repeat(weights[DAY_BIAS][-1:], days, 0),
    }
    if "reduce" in weights:
        state["reduce.weight"] = weights["reduce"].T
    return state


def standard_of(weights: Weights) -> Standardized:
    """Return what the network's rows pass before."""
    mean, inverse = (floats(weights, name).copy() for name in ("mean", "inverse"))
    return Standardized(mean, inverse, float(floats(weights, "limit")[0]))


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
