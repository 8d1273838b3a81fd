"""One step of a recurrent network of speech towards what it has just heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from decoders.decoder import Training, Weights
from decoders.networks.speech_gru import Utterances
from decoders.speech.gru_arrays import DAY_WEIGHT, of_day
from decoders.speech.spoken_sentences import spoken_sentences
from decoders.training.front_arrays import standards_of
from decoders.training.gru_arrays import arrays_of, network_of
from decoders.training.loop import reproducible

if TYPE_CHECKING:
    from decoders.models.speech import Speech

__all__ = ["nudge_gru"]


def nudge_gru(
    recipe: Speech, training: Training, weights: Weights, copies: int, step: float
) -> Weights:
    r"""Return arrays of which the newest day layer alone has moved, by one step.

    The loss is that of CTC over copies of the utterance, each with other rows hidden and other
    noise, as while the network was trained, after Feghhi et al., "Time-masked transformers with
    lightweight test-time adaptation for neural speech decoding", NeurIPS 2025. Theirs is a step of
    AdamW; here it has a length of its own, so that no utterance moves more than another:

    .. math:: W \leftarrow W - s \lVert W \rVert g / \lVert g \rVert

    Parameters
    ----------
    recipe
        The decoder's.
    training
        One utterance, with its label.
    weights
        To begin from.
    copies, step
        How many, and s.
    """
    (one,) = spoken_sentences(training)
    session = int(weights["days"][-1])
    weights = of_day(weights, session)
    standards = standards_of(weights)
    with reproducible():
        torch.manual_seed(recipe.seed)
        network = network_of(weights, 1).eval()
        network.requires_grad_(False)
        layer = (network.day.departures, network.day.biases)
        for parameter in layer:
            parameter.requires_grad_(True)
        rows = standards.of_day(0)(torch.from_numpy(training.features.astype(np.float32)))
        disturbed = recipe.disturbance.disturb(rows[None].repeat(copies, 1, 1))
        said = network(Utterances(disturbed, torch.zeros(copies, dtype=torch.long)))
        loss = nn.functional.ctc_loss(
            nn.functional.log_softmax(said, dim=2).transpose(0, 1),
            torch.from_numpy(one.phonemes).expand(copies, -1),
            torch.full((copies,), said.shape[1]),
            torch.full((copies,), len(one.phonemes)),
            zero_infinity=True,
        )
        gradients = torch.autograd.grad(loss, layer)
        size = float(torch.sqrt(sum(part.square().sum() for part in gradients)))
        if size > 0:
            length = step * float(np.linalg.norm(weights[DAY_WEIGHT][-1])) / size
            with torch.no_grad():
                for parameter, gradient in zip(layer, gradients, strict=True):
                    parameter -= length * gradient
        return {**weights, **arrays_of(network, standards, (session,))}
