"""A recurrent network, LSTM or GRU, for values that follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.onnx.decoding import RecurrentValues
from decoders.output import Meaning
from decoders.training.journal import SILENT, Journal
from decoders.training.recipe import Trained
from devices.signal import Signal

if TYPE_CHECKING:
    from decoders.networks.recurrent import Recurrent
    from decoders.training.values import Trainees

__all__ = ["Rnn"]


@dataclass(frozen=True)
class Rnn(Trained):
    """Continuous values of rows and of what a recurrent network remembers of those before.

    LSTM (Hochreiter & Schmidhuber, Neural Comput. 9, 1997) or GRU (Cho et al., EMNLP 2014), as
    in Glaser et al., "Machine learning for neural decoding", eNeuro 7, 2020. Each feature is
    brought to a deviation of 1 first; dropout on the features stands in for units that fall
    silent. Live, one row is one step; the state lasts until a gap. Smooth counts with `smooth`
    before, a little. Trained as `Trained` says, on stretches of rows.

    Parameters
    ----------
    cell
        ``"lstm"`` or ``"gru"``.
    units, layers
        Of the recurrent part.
    dropout_in
        Share of the features that are hidden while it trains.
    dropout
        The same of what the recurrent part puts out.
    offsets
        Deviation of an offset of each feature (whose own is 1), drawn anew for each stretch
        while it trains: what slowly drifts adds up in a recurrent network that has not met it
        (Willett et al., "High-performance brain-to-text communication via handwriting", Nature
        593, 2021).
    stretch
        Rows that it learns from in a row.
    warm_up
        Rows at the start of each stretch that do not count, since the network remembers nothing.
    stride
        Rows from the start of one stretch to that of the next.
    precision
        Of the weights live: ``"float32"``, or, for LSTM cells, ``"int8"``, which is refused where
        it costs more than 0.01 of R² on the validation part.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    epochs: int = 30
    patience: int = 8
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    folds: int = 1
    cell: Literal["lstm", "gru"] = "lstm"
    units: int = 96
    layers: int = 1
    dropout_in: float = 0.2
    dropout: float = 0.3
    offsets: float = 0.0
    stretch: int = 60
    warm_up: int = 10
    stride: int = 20
    precision: Literal["float32", "int8"] = "float32"
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("units", "layers", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.precision == "int8" and self.cell != "lstm":
            raise ValueError('precision = "int8" is for cell = "lstm"; ONNX Runtime has no other')
        if not 0 <= self.warm_up < self.stretch:
            raise ValueError(
                f"rnn needs 0 <= warm_up < stretch; it has warm_up = {self.warm_up}, "
                f"stretch = {self.stretch}"
            )
        if not self.offsets >= 0:
            raise ValueError(f"offsets must be at least 0, not {self.offsets}")
        if not 0 <= self.dropout_in < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                "rnn needs dropouts from 0 to below 1; it has dropout_in = "
                f"{self.dropout_in}, dropout = {self.dropout}"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`."""
        self.need_torch()
        from decoders.training.loop import reproducible
        from decoders.training.recurrent import recurrent_weights

        with reproducible():
            trainees = self.trainees(training, journal)
            return recurrent_weights(trainees, training, self.precision, self.validation)

    def trainees(self, training: Training, journal: Journal = SILENT) -> Trainees:
        """Return the trained networks; call it within `reproducible`."""
        from decoders.training.values import Stretches, train_members

        stretches = Stretches(self.stretch, self.stride, self.warm_up)
        return train_members(self, training, stretches, self.network, journal)

    def network(self, n_features: int, n_values: int) -> Recurrent:
        """Return a network that has learnt nothing yet."""
        from decoders.networks.recurrent import Recurrent

        return Recurrent(
            n_features,
            n_values,
            self.cell,
            self.units,
            self.layers,
            self.dropout_in,
            self.dropout,
            self.offsets,
        )

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        return RecurrentValues(self.mode, labels, unit, signal.n_channels, weights)
