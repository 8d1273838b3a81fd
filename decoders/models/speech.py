"""Phonemes of speech, 80 ms at a time, by a recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from decoders.decoder import Decoding, Training, Weights
from decoders.speech.gru_arrays import of_day
from decoders.speech.gru_graph_step import NOW, GraphGru
from decoders.speech.gru_step import SplitGru
from decoders.speech.spoken_steps import SpokenSteps
from decoders.training.journal import Journal
from decoders.training.spoken_recipe import SpokenTrained
from devices.signal import Signal

__all__ = ["Speech"]


@dataclass(frozen=True)
class Speech(SpokenTrained):
    """A day layer, and recurrent layers over patches of rows, after Brain-to-Text '25.

    The public baseline's shape (Card et al., N. Engl. J. Med. 391, 2024) is ``units = 768``,
    ``layers = 5``, ``reduced = 0``; smaller ones suit smaller machines. Each session has an affine
    map of its own, the identity at first; a new day settles and tunes that map alone. Trained with
    CTC on sentences of which only the text is known. Live, one row is one block; a step is said
    when its last row is there, and most of its work is done before. The state lasts until a gap.

    Parameters
    ----------
    units, layers
        Of the recurrent part.
    reduced
        Numbers that each row is brought to, by a linear layer, before patches are made; 0: none.
    precision
        Of the weights live: ``"float32"``, or ``"int8"``, which needs ONNX Runtime and is refused
        where it costs more than 0.01 of the phoneme error rate on the validation part.
    """

    units: int = 256
    layers: int = 3
    reduced: int = 0
    precision: Literal["float32", "int8"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units < 1 or self.layers < 1 or self.reduced < 0:
            raise ValueError(
                "speech needs units >= 1, layers >= 1 and reduced >= 0; it has units = "
                f"{self.units}, layers = {self.layers}, reduced = {self.reduced}"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`."""
        self.need_torch()
        from decoders.training.gru_training import fit_gru

        self.check_labels(training)
        return fit_gru(self, training, journal)

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Return `weights` with day layers for the sessions of `training`, all else as it was."""
        self.need_torch()
        from decoders.training.gru_training import tune_gru

        self.check_labels(training)
        return tune_gru(self, training, weights)

    def nudge(self, training: Training, weights: Weights, *, copies: int, step: float) -> Weights:
        """Return `weights` with a day layer that is one step nearer to one utterance."""
        self.need_torch()
        from decoders.training.gru_nudge import nudge_gru

        self.check_labels(training)
        return nudge_gru(self, training, weights, copies, step)

    def of_session(self, weights: Weights, session: int) -> Weights:
        """Return `weights` with the layer of one session's day alone."""
        return of_day(weights, session)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        steps = GraphGru(weights) if NOW in weights else SplitGru(weights)
        return SpokenSteps(labels, signal.n_channels, weights, steps)
