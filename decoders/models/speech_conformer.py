"""Phonemes of speech, 80 ms at a time, by convolution and attention that look back only."""

from __future__ import annotations

from dataclasses import dataclass

from decoders.decoder import Decoding, Training, Weights
from decoders.speech.conformer_step import ConformerSteps
from decoders.speech.gru_arrays import of_day
from decoders.speech.spoken_steps import SpokenSteps
from decoders.training.journal import Journal
from decoders.training.spoken_recipe import SpokenTrained
from devices.signal import Signal

__all__ = ["SpeechConformer"]


@dataclass(frozen=True)
class SpeechConformer(SpokenTrained):
    """A day layer, and a small causal Conformer over patches of rows.

    The alternative to the recurrent layers of ``speech``; all before them, the training, the day
    layers and the classes are the same. Its blocks are those of Gulati et al. ("Conformer",
    Interspeech 2020), made to look back only, and `context` steps at most: what lies longer back
    than all blocks together reach is forgotten. The state lasts until a gap.

    Parameters
    ----------
    width, heads, layers, inner
        Numbers a step is turned into, attention heads, blocks, and units of each of a block's two
        feed-forward parts.
    kernel, context
        Steps, the newest included, that each convolution and each attention look at.
    reduced
        Numbers that each row is brought to, by a linear layer, before patches are made; 0: none.
    """

    learning_rate: float = 1e-3
    dropout: float = 0.1
    width: int = 128
    heads: int = 4
    layers: int = 3
    inner: int = 256
    kernel: int = 8
    context: int = 32
    reduced: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "heads", "layers", "inner", "kernel", "context"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.width % self.heads or self.reduced < 0:
            raise ValueError(
                "speech_conformer needs a width that its heads divide, and reduced >= 0; it has "
                f"width = {self.width}, heads = {self.heads}, reduced = {self.reduced}"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`."""
        self.need_torch()
        from decoders.training.conformer_training import fit_conformer

        self.check_labels(training)
        return fit_conformer(self, training, journal)

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Return `weights` with day layers for the sessions of `training`, all else as it was."""
        self.need_torch()
        from decoders.training.conformer_training import tune_conformer

        self.check_labels(training)
        return tune_conformer(self, training, weights)

    def of_session(self, weights: Weights, session: int) -> Weights:
        """Return `weights` with the layer of one session's day alone."""
        return of_day(weights, session)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        return SpokenSteps(labels, signal.n_channels, weights, ConformerSteps(weights))
