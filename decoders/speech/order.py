"""What is asked of those who make weights beside a running session, and what they give back.

The loop that decodes does not train. It keeps what was said, orders weights that suit it better,
and goes on; who makes them works elsewhere, for seconds or minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.speech.gate import Gate
from devices.signal import Signal

__all__ = ["Kept", "Made", "Method", "Order", "Terms"]

Method = Literal["recalibration", "test_time"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An utterance of a running session, with some silence before and after it.

    Parameters
    ----------
    rows
        (n, n_features) float32.
    begin
        The row at which it begins.
    text, confidence
        What was said, and how sure the language is of that.
    is_told
        Somebody has said what it was.
    """

    rows: NDArray[np.float32]
    begin: int
    text: str
    confidence: float
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How to learn, and when what was learned is good enough; see `decoders.speech.retuning`.

    Parameters
    ----------
    method
        ``"recalibration"``: tune to all but the newest. ``"test_time"``: one step of the gradient
        on the newest.
    gate
        Which labels count.
    proving
        Utterances that are not learned from, but proved on.
    margin
        How much better the new weights must be on these, in edits over phonemes.
    most_change
        What is learned may not move by more than this part of its size (Frobenius norms).
    copies, step
        Of ``"test_time"``: masked copies of the utterance, and how far the step goes, as a part
        of the size of what moves.
    """

    method: Method = "recalibration"
    gate: Gate = field(default_factory=Gate)
    proving: int = 8
    margin: float = 0.01
    most_change: float = 1.0
    copies: int = 32
    step: float = 0.01

    @property
    def needed(self) -> int:
        """How many labels must count: to learn from, and to prove it on."""
        return self.proving + (1 if self.method == "test_time" else self.gate.fewest)


@dataclass(frozen=True, slots=True)
class Order:
    """Weights that are asked for.

    Parameters
    ----------
    features
        What the rows are.
    kept
        Utterances, the oldest first.
    terms
        How to learn.
    changed
        The arrays in which the version to begin from differs from the model.
    number
        Names the order.
    parent
        Hash of that version's weights.
    words
        Those that were added to the language, as they were: ``NAME`` or ``NAME PHONEMES``.
    """

    features: Signal
    kept: tuple[Kept, ...]
    terms: Terms
    changed: Weights
    number: int = 0
    parent: str = ""
    words: tuple[str, ...] = ()

    def differing(self, new: Weights, model: Weights) -> Weights:
        """Return the arrays of new weights that are kept beside the model."""
        return {
            name: array
            for name, array in new.items()
            if name in self.changed or not np.array_equal(array, model[name])
        }


@dataclass(frozen=True, slots=True)
class Made:
    """Weights that have proved better.

    Parameters
    ----------
    weights
        The arrays in which they differ from the model.
    n_kept, n_learned, n_proved
        Utterances in the order, those that were learned from (none: rows alone brought it to the
        day), and those that it was proved on.
    before, after
        On these: how much the network's best paths differ from the labels, in edits over
        phonemes, with the version of before and with the new one.
    hash
        Of the whole weights, see `decoders.adapting.versions.weights_hash`.
    """

    weights: Weights
    n_kept: int
    n_learned: int
    n_proved: int
    before: float
    after: float
    hash: str = ""

    @property
    def numbers(self) -> tuple[float, ...]:
        """All but the weights, as an event carries them."""
        counts = (self.n_kept, self.n_learned, self.n_proved)
        return (*map(float, counts), self.before, self.after)
