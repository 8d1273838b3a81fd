"""Which utterances a model may learn from by what a language made of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from decoders.speech.phoneme_errors import distance

__all__ = ["Gate", "Heard"]


@dataclass(frozen=True)
class Gate:
    """Which labels count.

    Parameters
    ----------
    confidence
        The least of the language's, for the utterance as a whole.
    most_unlike
        The most by which the label may differ from the network's own best path: edits over the
        label's phonemes.
    phonemes
        The fewest of a label: a short one fits nearly anything.
    fewest
        With fewer labels nothing is learned.
    """

    confidence: float = 0.0
    most_unlike: float = 0.4
    phonemes: int = 6
    fewest: int = 8

    def lets(self, heard: Heard) -> bool:
        """Return whether the label counts."""
        sure = heard.confidence >= self.confidence and heard.unlike <= self.most_unlike
        return sure and len(heard.label) >= self.phonemes


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance that nobody cued.

    Parameters
    ----------
    text, confidence
        What the language made of it, and how sure it is.
    first, last
        Rows of the recording.
    label, path
        Phonemes of the text, and of the network's best path alone.
    """

    text: str
    confidence: float
    first: int
    last: int
    label: tuple[int, ...]
    path: tuple[int, ...] = field(default=())

    @property
    def unlike(self) -> float:
        """How much the two differ: edits over the label's phonemes."""
        return distance(self.label, self.path) / max(1, len(self.label))
