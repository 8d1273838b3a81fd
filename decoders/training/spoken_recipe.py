"""What recipes of networks of speech have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from decoders.training.recipe import Trained
from devices.speech.phonemes import CLASSES

if TYPE_CHECKING:
    from decoders.networks.standard import DayStandards
    from decoders.training.loop import Schedule
    from decoders.training.spoken import Disturbance, Patches

__all__ = ["SpokenTrained"]


@dataclass(frozen=True)
class SpokenTrained(Trained):
    """The keys of every network of speech, beside those of `Trained`.

    One network is trained (`members` = 1), once, on all but the last fifth of the sentences; that
    fifth scores it. So the score is of the very model that comes out.

    Parameters
    ----------
    patch, stride
        Rows that one step reads, and rows from one step to the next.
    dropout_in, dropout
        Of what the day layer puts out, and between the layers.
    noise, offset
        While it trains: deviations of white noise, and of what is added to a feature over a whole
        example, in deviations of the feature.
    hidden
        While it trains: share of the rows that are hidden, in spans of a patch.
    sentences
        Consecutive sentences that an example holds at most.
    warm_up
        Share of the epochs in which the learning rate rises.
    tune_epochs, tune_rate, tune_batch
        Epochs, learning rate at their start, and examples a step, when the model is brought to
        another day.
    """

    task: ClassVar[Literal["speech"]] = "speech"
    beside_training: ClassVar[tuple[str, ...]] = (
        *Trained.beside_training,
        "tune_epochs",
        "tune_rate",
        "tune_batch",
    )

    epochs: int = 60
    patience: int = 12
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    validation: float = 0.1
    folds: int = 1
    patch: int = 14
    stride: int = 4
    dropout_in: float = 0.2
    dropout: float = 0.3
    noise: float = 0.4
    offset: float = 0.2
    hidden: float = 0.1
    sentences: int = 3
    warm_up: float = 0.05
    tune_epochs: int = 25
    tune_rate: float = 5e-3
    tune_batch: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("patch", "stride", "sentences", "tune_epochs", "tune_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("dropout_in", "dropout", "hidden", "warm_up"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be from 0 to below 1, not {getattr(self, name)}")
        if not self.noise >= 0 or not self.offset >= 0 or not self.tune_rate > 0:
            raise ValueError(
                "speech needs noise >= 0, offset >= 0 and tune_rate > 0; it has noise = "
                f"{self.noise}, offset = {self.offset}, tune_rate = {self.tune_rate}"
            )
        if self.members != 1 or self.folds != 1:
            raise ValueError(
                "speech trains one network, scored on the last fifth of the sentences: members "
                f"and folds must be 1; they are {self.members} and {self.folds}"
            )

    @property
    def memory_rows(self) -> int:
        """How many of the newest rows another version is shown before it decodes.

        A network learns to begin at any moment of a silence, so four patches are enough; more of
        them would hold the loop up.
        """
        return 4 * self.patch

    @property
    def patches(self) -> Patches:
        """How rows are cut."""
        from decoders.training.spoken import Patches

        return Patches(self.patch, self.stride)

    @property
    def disturbance(self) -> Disturbance:
        """What is done to rows while it trains."""
        from decoders.training.spoken import Disturbance

        return Disturbance(self.noise, self.offset, self.hidden, self.patch, self.sentences)

    def schedule(self, member: int) -> Schedule:
        """Return how long the network is trained, and how."""
        return replace(super().schedule(member), warm_up=self.warm_up)

    @property
    def tune_schedule(self) -> Schedule:
        """How long a model of before is trained on another day's sentences."""
        return replace(
            self.schedule(0),
            epochs=self.tune_epochs,
            patience=self.tune_epochs,
            learning_rate=self.tune_rate,
            batch=self.tune_batch,
        )

    def check_labels(self, training: Training) -> None:
        """Refuse a training of anything but speech.

        Raises
        ------
        Mismatch
            It is of classes or of values.
        """
        if training.labels != CLASSES:
            raise Mismatch(
                f"this decoder says the {len(CLASSES)} classes of speech; the training has "
                f"{', '.join(training.labels[:5])}"
            )

    def standard(self, training: Training) -> DayStandards:
        """Return what brings the training's rows to deviations, each session's to its own."""
        from decoders.networks.standard import DayStandards
        from decoders.training.parts import spread

        found = [
            spread(training.features[training.is_session(session)])
            for session in training.session_numbers
        ]
        return DayStandards(np.stack([mean for mean, _ in found]), np.stack([i for _, i in found]))

    def settle(self, rows: NDArray[np.float64], weights: Weights) -> Weights:
        """Return `weights` with a day layer for a recording that nobody labelled."""
        from decoders.speech.new_day import settled

        return settled(weights, {0: rows})
