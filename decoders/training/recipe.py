"""What every recipe of a network has in common: how it is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from decoders.decoder import Training, Weights
from decoders.stage import Mismatch
from decoders.training.journal import SILENT, Journal

if TYPE_CHECKING:
    from decoders.training.loop import Schedule

__all__ = ["Trained"]


@dataclass(frozen=True)
class Trained(ABC):
    """The keys that say how a network is trained; a recipe of one derives from this.

    Parameters
    ----------
    epochs
        At most so many passes over the training.
    patience
        Stop when the loss on the validation part has not fallen for so many epochs.
    batch
        Examples a step of the gradient.
    learning_rate
        Of AdamW, at the start; falls to 0 along half a cosine.
    weight_decay
        Of AdamW.
    validation
        Share of the training that is held out to say when to stop: whole trials, or consecutive
        rows.
    members
        Networks that are trained and averaged, each from a seed of its own, and with another
        block of the training held out.
    seed
        Of everything that is drawn at random. The same seed gives the same weights, to the bit.
    folds
        Parts that are left out in turn to score the model when it is calibrated; each takes a
        training of its own.
    """

    beside_training: ClassVar[tuple[str, ...]] = ("folds", "mode", "precision")
    """Keys that change nothing of what is trained: a checkpoint is good whatever they are."""

    epochs: int = 100
    patience: int = 20
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    validation: float = 0.2
    members: int = 1
    seed: int = 0
    folds: int = 5

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch", "members", "folds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.validation <= 0.5:
            raise ValueError(f"validation must be above 0 and at most 0.5, not {self.validation}")
        if not self.learning_rate > 0 or not self.weight_decay >= 0 or self.seed < 0:
            raise ValueError(
                "a training needs learning_rate > 0, weight_decay >= 0 and seed >= 0; it has "
                f"learning_rate = {self.learning_rate}, weight_decay = {self.weight_decay}, "
                f"seed = {self.seed}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`, in this process."""
        return self.train(training, SILENT)

    @abstractmethod
    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`; write to `journal`, and go on from the checkpoints that it has.

        Raises
        ------
        Mismatch
            There is too little, or the wrong kind, to fit on; or torch is not installed.
        """

    def schedule(self, member: int) -> Schedule:
        """Return how the network numbered `member` is trained."""
        from decoders.training.loop import Schedule

        return Schedule(
            self.epochs,
            self.patience,
            self.batch,
            self.learning_rate,
            self.weight_decay,
            self.seed + member,
        )

    def need_torch(self) -> None:
        """Say how to install what trains, where it is not.

        Raises
        ------
        Mismatch
            It is not installed.
        """
        from importlib.util import find_spec

        if missing := [name for name in ("torch", "onnx") if find_spec(name) is None]:
            raise Mismatch(
                f"{type(self).__name__} is trained with {' and '.join(missing)}, not installed "
                "here; pip install 'bci-server[deep]'"
            )
