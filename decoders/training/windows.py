"""What recipes of networks that tell classes of windows have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.onnx.decoding import WindowClasses
from decoders.rows.sample_names import WindowShape
from decoders.training.journal import Journal
from decoders.training.recipe import Trained
from devices.signal import Signal

if TYPE_CHECKING:
    from torch import nn

__all__ = ["TrainedOnWindows"]


@dataclass(frozen=True)
class TrainedOnWindows(Trained):
    """A network that says which class a window of samples is of; a recipe derives from this."""

    task: ClassVar[Literal["classes"]] = "classes"

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`."""
        self.need_torch()
        from decoders.training.classes import fit_classifier

        return fit_classifier(self, training, self.network, journal)

    @abstractmethod
    def network(self, shape: WindowShape, n_classes: int) -> nn.Module:
        """Return a network that is not trained yet: (n, channels, samples) → (n, n_classes).

        It has a method ``constrain()``, called after each step of the gradient.

        Raises
        ------
        Mismatch
            The window is too short for it.
        """

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        return WindowClasses(labels, signal.n_channels, weights)
