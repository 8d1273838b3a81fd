"""What a decoder says: a prediction, a command, a voice or a token. Typed, immutable, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Adapted",
    "Alternative",
    "Command",
    "Meaning",
    "Mode",
    "Output",
    "Prediction",
    "Token",
    "Voice",
    "continuous",
]

Mode = Literal["velocity", "position", "grasp", "click", "neutral"]
Meaning = Literal["velocity", "position", "grasp", "click", "neutral", "voice"]
"""What the values of a continuous decoder mean: a command of such a mode, or a voice."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """How likely each class is, and, when a trial or enough evidence is complete, which it is.

    Parameters
    ----------
    labels
        The classes.
    probabilities
        One for each label; they add up to 1.
    decision
        The label decided on at this moment; None while there is none.
    cue_sample
        Index of the sample of the cue whose trial the decision ends; None without a cue.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    decision: str | None = None
    cue_sample: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What an effector should do, before the safety gate has seen it.

    Parameters
    ----------
    mode
        What the values mean.
    names, values, unit
        One value for each degree of freedom.
    confidence
        0 to 1; 1 where the decoder has no notion of it.
    """

    mode: Mode
    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Voice:
    """What a voice sounds like for the length of a block: one frame for a vocoder.

    It moves nothing, so it passes no safety gate; and nothing speaks it but a client that wants to.

    Parameters
    ----------
    names, values, unit
        One value for each feature, such as the logarithm of the power in a mel band.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str


def continuous(
    meaning: Meaning, names: tuple[str, ...], values: tuple[float, ...], unit: str
) -> Command | Voice:
    """Return what a continuous decoder says with `values`, one for each name."""
    if meaning == "voice":
        return Voice(names, values, unit)
    return Command(meaning, names, values, unit)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of a token, and how likely it is."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of speech or spelling. An interim one is replaced by the next of its `item`.

    Parameters
    ----------
    item
        Counts up over a session. An interim token with an empty text takes back its item; a final
        one only ends an utterance, whose last words were withheld.
    text, unit
        What is said.
    is_final
        It will not change any more.
    segment_final
        The last of an utterance.
    confidence, alternatives
        How likely it is, and what else it may be.
    first, last
        Samples at which it begins and ends; -1: not known.
    """

    item: int
    text: str
    unit: Literal["phoneme", "character", "word"]
    is_final: bool
    segment_final: bool = False
    confidence: float = 1.0
    alternatives: tuple[Alternative, ...] = ()
    first: int = -1
    last: int = -1


@dataclass(frozen=True, slots=True)
class Adapted:
    """Which version of the decoder says what follows, and why.

    Parameters
    ----------
    version
        Its number; 0 is the calibrated one.
    hash
        Of its weights, see `decoders.adapting.versions.weights_hash`.
    parent
        The version that it was learned from.
    reason
        What it was learned from, or who asked for it; or why what was learned was refused.
    first, last
        Samples of the data that taught it.
    n_rows, n_labels
        How many rows, and how many labels, targets or rewards.
    """

    version: int
    hash: str
    parent: int
    reason: str
    first: int
    last: int
    n_rows: int
    n_labels: int


Output = Prediction | Command | Voice | Token | Adapted
