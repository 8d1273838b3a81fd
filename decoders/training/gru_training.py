"""Recurrent networks of speech: trained, and brought to another day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from decoders.decoder import Training, Weights
from decoders.networks.speech_gru import GruShape, SpeechGru
from decoders.training.gru_arrays import arrays_of, network_of
from decoders.training.gru_graphs import checked_int8
from decoders.training.journal import Journal
from decoders.training.loop import reproducible
from decoders.training.spoken_network import in_common, learn, tuned

if TYPE_CHECKING:
    from decoders.models.speech import Speech

__all__ = ["fit_gru", "tune_gru"]


def fit_gru(recipe: Speech, training: Training, journal: Journal) -> Weights:
    """Return the arrays of a network that is trained from nothing, with a day layer a session."""
    days = training.session_numbers
    shape = GruShape(
        training.features.shape[1],
        recipe.reduced,
        recipe.patch,
        recipe.stride,
        recipe.units,
        recipe.layers,
        len(training.labels),
    )
    with reproducible():
        torch.manual_seed(recipe.seed)
        network = SpeechGru(shape, len(days), recipe.dropout_in, recipe.dropout)
        standard = recipe.standard(training)
        learn(recipe, network, standard, training, journal)
        weights = {
            **arrays_of(network, standard, days),
            **in_common(standard, training),
        }
        return weights if recipe.precision == "float32" else checked_int8(recipe, weights, training)


def tune_gru(recipe: Speech, training: Training, weights: Weights) -> Weights:
    """Return arrays of which the day layers alone are new: one for each session of `training`."""
    return tuned(recipe, training, weights, network_of, arrays_of)
