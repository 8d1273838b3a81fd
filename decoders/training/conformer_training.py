"""Conformers of speech: trained, and brought to another day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from decoders.decoder import Training, Weights
from decoders.networks.speech_conformer import ConformerShape, SpeechConformer
from decoders.training.conformer_arrays import arrays_of, network_of
from decoders.training.journal import Journal
from decoders.training.loop import reproducible
from decoders.training.spoken_network import in_common, learn, tuned

if TYPE_CHECKING:
    from decoders.models.speech_conformer import SpeechConformer as Recipe

__all__ = ["fit_conformer", "tune_conformer"]


def fit_conformer(recipe: Recipe, training: Training, journal: Journal) -> Weights:
    """Return the arrays of a network that is trained from nothing, with a day layer a session."""
    days = training.session_numbers
    shape = ConformerShape(
        features=training.features.shape[1],
        reduced=recipe.reduced,
        patch=recipe.patch,
        stride=recipe.stride,
        width=recipe.width,
        heads=recipe.heads,
        layers=recipe.layers,
        inner=recipe.inner,
        kernel=recipe.kernel,
        context=recipe.context,
        classes=len(training.labels),
    )
    with reproducible():
        torch.manual_seed(recipe.seed)
        network = SpeechConformer(shape, len(days), recipe.dropout_in, recipe.dropout)
        standard = recipe.standard(training)
        learn(recipe, network, standard, training, journal)
        return {**arrays_of(network, standard, days), **in_common(standard, training)}


def tune_conformer(recipe: Recipe, training: Training, weights: Weights) -> Weights:
    """Return arrays of which the day layers alone are new: one for each session of `training`."""
    return tuned(recipe, training, weights, network_of, arrays_of)
