"""A Conformer of speech and its plain arrays, each made of the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from decoders.decoder import Weights
from decoders.networks.speech_conformer import ConformerShape, SpeechConformer
from decoders.speech.conformer_arrays import BLOCKS, of_block
from decoders.training.front_arrays import Standard, array_of, front_arrays, front_state, loaded

__all__ = ["arrays_of", "network_of", "shape_of"]


def arrays_of(network: SpeechConformer, standard: Standard, days: Sequence[int]) -> Weights:
    """Return the arrays of `decoders.speech.conformer_arrays`.

    Parameters
    ----------
    network, standard
        The network, and what its rows pass before.
    days
        The session of each of its day layers.
    """
    parameters = [dict(block.named_parameters()) for block in network.blocks]
    blocks = {
        f"{BLOCKS}{name}": torch.stack([of_one[name] for of_one in parameters])
        for name in parameters[0]
    }
    rest = {
        "input": network.input.weight,
        "input bias": network.input.bias,
        "output": network.scores.weight,
        "output bias": network.scores.bias,
    }
    tensors = blocks | rest
    return {
        **front_arrays(network, standard, days),
        **{name: array_of(tensor) for name, tensor in tensors.items()},
    }


def network_of(
    weights: Weights, days: int, dropout_in: float = 0.0, dropout: float = 0.0
) -> SpeechConformer:
    """Return the network of some arrays, with its newest `days` day layers."""
    shape = shape_of(weights)
    blocks = {
        f"{BLOCKS}{number}.{name}": array
        for number in range(shape.layers)
        for name, array in of_block(weights, number).items()
    }
    rest = {
        "input.weight": weights["input"],
        "input.bias": weights["input bias"],
        "scores.weight": weights["output"],
        "scores.bias": weights["output bias"],
    }
    network = SpeechConformer(shape, days, dropout_in, dropout)
    return loaded(network, {**front_state(weights, days), **blocks, **rest})


def shape_of(weights: Weights) -> ConformerShape:
    """Return the sizes of the network that arrays are of."""
    patch, stride = (int(n) for n in weights["steps"])
    classes, width = weights["output"].shape
    layers, heads, context, _ = weights[f"{BLOCKS}attention.positions"].shape
    return ConformerShape(
        features=weights["mean"].shape[-1],
        reduced=weights["reduce"].shape[1] if "reduce" in weights else 0,
        patch=patch,
        stride=stride,
        width=width,
        heads=heads,
        layers=layers,
        inner=weights[f"{BLOCKS}first.inner.bias"].shape[1],
        kernel=weights[f"{BLOCKS}convolution.depthwise.weight"].shape[3],
        context=context,
        classes=classes,
    )
