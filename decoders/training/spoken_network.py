"""A network of speech as its recipe says: trained whole, or its day layers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from decoders.decoder import Training
from decoders.networks.speech_conformer import SpeechConformer
from decoders.networks.speech_gru import SpeechGru
from decoders.networks.standard import Standardized
from decoders.training.journal import SILENT, Journal
from decoders.training.spoken import train_spoken

if TYPE_CHECKING:
    from decoders.training.spoken_recipe import SpokenTrained

__all__ = ["learn", "learn_days"]


def learn(
    recipe: SpokenTrained,
    network: SpeechGru | SpeechConformer,
    standard: Standardized,
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


def learn_days(
    recipe: SpokenTrained,
    network: SpeechGru | SpeechConformer,
    standard: Standardized,
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
        recipe.validation,
        SILENT,
        days=training.session_numbers,
        judged_by_loss=True,
    )
