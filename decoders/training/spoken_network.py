"""A network of speech as its recipe says: trained whole, or its day layers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.networks.speech_conformer import SpeechConformer
from decoders.networks.speech_gru import SpeechGru
from decoders.networks.standard import DayStandards
from decoders.speech.gru_arrays import LOADINGS
from decoders.speech.new_day import loadings, settled
from decoders.training.journal import SILENT, Journal
from decoders.training.spoken import train_spoken

if TYPE_CHECKING:
    from decoders.training.spoken_recipe import SpokenTrained

__all__ = ["in_common", "learn", "learn_days", "settled_days"]


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


def settled_days(training: Training, weights: Weights) -> Weights:
    """Return `weights` with a day layer for each session of `training`, as rows alone tell."""
    return settled(weights, _by_session(training))


def learn_days(
    recipe: SpokenTrained,
    network: SpeechGru | SpeechConformer,
    standard: DayStandards,
    training: Training,
) -> None:
    """Train the day layers of `network` in place, and nothing else."""
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
        days=training.session_numbers,
        judged_by_loss=True,
    )


def _by_session(training: Training) -> dict[int, NDArray[np.float64]]:
    return {
        session: training.features[training.is_session(session)]
        for session in training.session_numbers
    }
