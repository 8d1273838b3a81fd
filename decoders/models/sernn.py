"""A spatially embedded recurrent network, for values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.onnx.decoding import RecurrentValues
from decoders.output import Meaning
from decoders.training.journal import SILENT, Journal
from decoders.training.recipe import Trained
from devices.signal import Signal

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from decoders.training.values import Trainees

__all__ = ["Sernn"]


@dataclass(frozen=True)
class Sernn(Trained):
    r"""Continuous values, by a recurrent network whose units have places and whose wires cost.

    Rectified units on a grid in space, trained on
    :math:`L = \mathrm{MSE} + \gamma \sum |W| \circ D \circ C` with the distance D between units
    and the weighted communicability C of the recurrent weights W (Achterberg et al., "Spatially
    embedded recurrent neural networks reveal widespread links between structural and functional
    neuroscience findings", Nat. Mach. Intell. 5, 2023; `decoders.networks.spatial` has the terms).
    Long and roundabout connections wither; what is left is sparse, and local. The largest singular
    value of the recurrent weights is kept below 1, so that no input can make the state grow for
    ever. Trained with torch, run live by ONNX Runtime.

    Parameters
    ----------
    shape
        Units along each side of the grid; 5 × 5 × 4 in the paper.
    strength
        γ; 0: no penalty. The paper's reference, for a task whose loss is an entropy, is 0.5.
    noise
        Deviation of the noise that is added to the standardized features while training.
    dropout_in
        Share of the features that are left out while training.
    sequence
        Rows in a piece that is learned on; a quarter of them is for the network to settle, and is
        not judged.
    precision
        Of the weights live: ``"float32"``, or ``"int8"``, which is refused where it costs more
        than 0.01 of R² on the validation part.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    epochs: int = 150
    patience: int = 40
    batch: int = 32
    learning_rate: float = 2e-3
    folds: int = 1
    shape: tuple[int, int, int] = (5, 5, 4)
    strength: float = 0.03
    noise: float = 0.05
    dropout_in: float = 0.2
    sequence: int = 40
    precision: Literal["float32", "int8"] = "float32"
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        Trained.__post_init__(self)
        if min(self.shape) < 1 or prod(self.shape) < 2 or self.sequence < 4:
            raise ValueError(
                "sernn needs a grid of two units or more, and sequence >= 4; it has shape = "
                f"{list(self.shape)}, sequence = {self.sequence}"
            )
        if not self.strength >= 0 or not self.noise >= 0 or not 0 <= self.dropout_in < 1:
            raise ValueError(
                "sernn needs strength >= 0, noise >= 0 and dropout_in of 0 to 1; it has strength "
                f"= {self.strength}, noise = {self.noise}, dropout_in = {self.dropout_in}"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`; write to `journal`, and go on from the checkpoints that it has."""
        self.need_torch()
        from decoders.training.loop import reproducible
        from decoders.training.recurrent import recurrent_weights

        with reproducible():
            trainees = self.trainees(training, journal)
            return recurrent_weights(trainees, training, self.precision, self.validation)

    def trainees(self, training: Training, journal: Journal = SILENT) -> Trainees:
        """Return the trained networks; call it within `reproducible`."""
        from decoders.networks.spatial_rnn import SpatialRnn
        from decoders.training.values import Stretches, train_members

        settle = self.sequence // 4

        def build(n_features: int, n_values: int) -> SpatialRnn:
            return SpatialRnn(n_features, n_values, self.shape, self.noise, self.dropout_in)

        def penalty(network: Module) -> Tensor:
            assert isinstance(network, SpatialRnn)
            return self.strength * network.penalty()

        return train_members(
            self,
            training,
            Stretches(self.sequence, self.sequence - settle, settle),
            build,
            journal,
            penalty if self.strength else None,
            lambda network: network.constrain(),
        )

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        return RecurrentValues(self.mode, labels, unit, signal.n_channels, weights)
