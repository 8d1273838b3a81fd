"""A small Transformer over the last rows, for values that follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.onnx.decoding import HistoryValues
from decoders.output import Meaning
from decoders.training.journal import SILENT, Journal
from decoders.training.recipe import Trained
from devices.signal import Signal

if TYPE_CHECKING:
    from decoders.training.values import Trainees

__all__ = ["Transformer"]


@dataclass(frozen=True)
class Transformer(Trained):
    """Continuous values of the last rows, by attention among them that looks back only.

    An encoder (Vaswani et al., NeurIPS 2017) with a causal mask over bins of activity, each a
    token with a learned position, as in the Neural Data Transformer (Ye & Pandarinath, Neurons
    Behav. Data Anal. Theory, 2021), trained on what was meant. Each feature is brought to a
    deviation of 1 first. Output begins once `history` rows have been seen; each row is then
    judged with all of them. Trained as `Trained` says.

    Parameters
    ----------
    history
        Rows that it looks at.
    width, heads, layers, inner
        Numbers a row is turned into, attention heads, blocks, and units of the two-layer part of
        each.
    dropout_in
        Share of the features that are hidden while it trains.
    dropout
        The same of everything within.
    warm_up
        Rows at the start of each stretch of `history` that do not count while it trains.
    stride
        Rows from the start of one stretch to that of the next.
    precision
        Of the weights live: ``"float32"``, or ``"int8"``, which is refused where it costs more
        than 0.01 of R² on the validation part.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    epochs: int = 30
    patience: int = 8
    weight_decay: float = 1e-2
    folds: int = 1
    history: int = 20
    width: int = 64
    heads: int = 4
    layers: int = 2
    inner: int = 128
    dropout_in: float = 0.2
    dropout: float = 0.2
    warm_up: int = 10
    stride: int = 5
    precision: Literal["float32", "int8"] = "float32"
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "heads", "layers", "inner", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.width % self.heads or not 0 <= self.warm_up < self.history:
            raise ValueError(
                "transformer needs a width that its heads divide, and 0 <= warm_up < history; it "
                f"has width = {self.width}, heads = {self.heads}, warm_up = {self.warm_up}, "
                f"history = {self.history}"
            )
        if not 0 <= self.dropout_in < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                "transformer needs dropouts from 0 to below 1; it has dropout_in = "
                f"{self.dropout_in}, dropout = {self.dropout}"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`."""
        self.need_torch()
        from decoders.training.history import history_weights
        from decoders.training.loop import reproducible

        with reproducible():
            trainees = self.trainees(training, journal)
            return history_weights(
                trainees, training, self.history, self.precision, self.validation
            )

    def trainees(self, training: Training, journal: Journal = SILENT) -> Trainees:
        """Return the trained networks; call it within `reproducible`."""
        from decoders.networks.causal_transformer import CausalTransformer
        from decoders.training.values import Stretches, train_members

        return train_members(
            self,
            training,
            Stretches(self.history, self.stride, self.warm_up),
            lambda n_features, n_values: CausalTransformer(
                n_features,
                n_values,
                self.history,
                self.width,
                self.heads,
                self.layers,
                self.inner,
                self.dropout_in,
                self.dropout,
            ),
            journal,
        )

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        return HistoryValues(self.mode, labels, unit, signal.n_channels, weights)
