"""Recurrent networks of speech: trained, and brought to another day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from decoders.decoder import Training, Weights
from decoders.networks.speech_gru import GruShape, SpeechGru
from decoders.training.gru_arrays import arrays_of, network_of, standard_of
from decoders.training.gru_graphs import checked_int8
from decoders.training.journal import SILENT, Journal
from decoders.training.loop import reproducible
from decoders.training.spoken import train_spoken

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
    schedule = recipe.schedule(0)
    with reproducible():
        torch.manual_seed(schedule.seed)
        network = SpeechGru(shape, len(days), recipe.dropout_in, recipe.dropout)
        standard = recipe.standard(training)
        train_spoken(
            network,
            standard,
            training,
            recipe.patches,
            recipe.disturbance,
            schedule,
            recipe.validation,
            journal,
            days=days,
        )
        weights = arrays_of(network, standard, days)
        return weights if recipe.precision == "float32" else checked_int8(recipe, weights, training)


def tune_gru(recipe: Speech, training: Training, weights: Weights) -> Weights:
    """Return arrays of which the day layers alone are new: one for each session of `training`."""
    days = training.session_numbers
    with reproducible():
        network = network_of(weights, len(days), recipe.dropout_in, recipe.dropout)
        network.requires_grad_(False)
        network.day.requires_grad_(True)
        standard = standard_of(weights)
        train_spoken(
            network,
            standard,
            training,
            recipe.patches,
            recipe.disturbance,
            recipe.tune_schedule,
            recipe.validation,
            SILENT,
            days=days,
            judged_by_loss=True,
        )
        # Graphs of the recurrent layers stay as they are: nothing in them is of a day.
        return {**weights, **arrays_of(network, standard, days)}
