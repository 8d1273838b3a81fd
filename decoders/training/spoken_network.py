"""A network of speech as its recipe says: trained whole, or its day layers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.networks.speech_conformer import SpeechConformer
from decoders.networks.speech_gru import SpeechGru
from decoders.networks.standard import DayStandards
from decoders.speech.gru_arrays import LOADINGS
from decoders.speech.new_day import loadings, settled
from decoders.training.front_arrays import standards_of
from decoders.training.journal import SILENT, Journal
from decoders.training.loop import reproducible
from decoders.training.spoken import train_spoken

if TYPE_CHECKING:
    from decoders.training.spoken_recipe import SpokenTrained

__all__ = ["in_common", "learn", "tuned"]

Network = TypeVar("Network", SpeechGru, SpeechConformer)


def learn(
    recipe: SpokenTrained,
    network: SpeechGru | SpeechConformer,
    standard: DayStandards,
    training: Training,
    journal: Journal,
) -> None:
    """Train all of `network` in place; call it within `reproducible`."""
    train_spoken(
        network,
        standard,
        training,
        recipe.patches,
        recipe.disturbance,
        recipe.schedule(0),
        recipe.validation,
        journal,
        days=training.session_numbers,
    )


def in_common(standard: DayStandards, training: Training) -> Weights:
    """Return the ``loadings`` of the training's sessions (see `decoders.speech.new_day`)."""
    found = [
        loadings(standard.of_day(day)(torch.from_numpy(rows)).numpy())
        for day, rows in enumerate(_by_session(training).values())
    ]
    return {LOADINGS: np.stack(found).astype(np.float32)}


def tuned(
    recipe: SpokenTrained,
    training: Training,
    weights: Weights,
    network_of: Callable[[Weights, int, float, float], Network],
    arrays_of: Callable[[Network, DayStandards, Sequence[int]], Weights],
) -> Weights:
    """Return arrays of which the day layers alone are new: one for each session of `training`.

    Parameters
    ----------
    recipe, training
        How it learns, and from what.
    weights
        To begin from.
    network_of, arrays_of
        Make a network of arrays, and arrays of a network.
    """
    days = training.session_numbers
    with reproducible():
        weights = settled(weights, _by_session(training))
        network = network_of(weights, len(days), recipe.dropout_in, recipe.dropout)
        standard = standards_of(weights)
        network.requires_grad_(False)
        network.day.requires_grad_(True)
        train_spoken(
            network,
            standard,
            training,
            recipe.patches,
            recipe.disturbance,
            recipe.tune_schedule,
            0.0,  # of some twenty sentences, two say less about when to stop than they teach
            SILENT,
            days=days,
            judged_by_loss=True,
        )
        # Graphs of the deeper layers stay as they are: nothing in them is of a day.
        return {**weights, **arrays_of(network, standard, days)}


def _by_session(training: Training) -> dict[int, NDArray[np.float64]]:
    return {
        session: training.features[training.is_session(session)]
        for session in training.session_numbers
    }
