"""What adapts a decoder while it runs: rules, and what they are told.

A rule is a recipe, one of ``[[adaptation.rules]]`` in the session file; started, it is a learner.
Everything that a learner knows comes from rows and events, so a session that adapts replays
exactly. What it has learned so far it gives away as arrays, so that it can be put back to where it
was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.trials import Trials
from decoders.decoder import Decoder, Moment, Weights
from decoders.output import Output
from decoders.speech.order import Order
from decoders.speech.utterance import Utterance
from devices.signal import Signal

__all__ = [
    "Adaptation",
    "Ground",
    "Learner",
    "Lesson",
    "MadeBeside",
    "Refused",
    "Rule",
    "Seen",
    "State",
]

State = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rule is started on.

    Parameters
    ----------
    decoder, labels, unit, weights
        The decoder as it was fitted.
    features
        What the rows are.
    trials
        Cued trials; None for a session without.
    rate_hz
        Samples a second, of the samples that moments count.
    hop
        Samples a block.
    made
        Arrays that were made beside the loop, by the hash of the whole weights with them.
    """

    decoder: Decoder
    labels: tuple[str, ...]
    unit: str
    weights: Weights
    features: Signal
    trials: Trials | None
    rate_hz: float
    hop: int
    made: Mapping[str, Weights] = field(default_factory=dict)

    @property
    def block_s(self) -> float:
        """Seconds a block."""
        return self.hop / self.rate_hz


@dataclass(frozen=True, slots=True)
class Seen:
    """One block, and what the decoder said of it. The rows hold until the next block.

    Parameters
    ----------
    raw
        (n, n_features), what the stages put out.
    rows
        The same as the decoder got them, aligned.
    outputs
        What it said.
    moment
        Where the block ends, and what has happened by then.
    """

    raw: NDArray[np.floating]
    rows: NDArray[np.floating]
    outputs: Sequence[Output]
    moment: Moment


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner would change: these weights take the place of those of the same name.

    Parameters
    ----------
    weights
        New arrays; those that are not named stay.
    reason
        Why, in a few words.
    first, last
        The samples that taught it.
    n_rows, n_labels
        How many rows, and how many labels, targets or rewards.
    hash
        Of the whole weights with these, where it is known.
    """

    weights: Weights
    reason: str
    first: int
    last: int
    n_rows: int
    n_labels: int
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why what was to be learned is not."""

    reason: str


class Learner(Protocol):
    """The running state of a rule."""

    def learn(self, seen: Seen, weights: Weights) -> Lesson | Refused | None:
        """Take one block in; return what follows from it, if anything does.

        Parameters
        ----------
        seen
            The block.
        weights
            Those that the lesson would change.
        """

    def forget(self) -> None:
        """Take in that samples are missing: what was begun before does not go on after it."""

    def state(self) -> State:
        """Return copies of all that it has learned."""

    def restore(self, state: State) -> None:
        """Go back to what `state` gave; what was begun since is forgotten."""


@runtime_checkable
class MadeBeside(Learner, Protocol):
    """A learner of speech that only keeps what was said; its weights are made beside the loop.

    Events of the kind ``adapt`` tell what became of an order, with its number first among their
    values: ``made HASH``, the new weights being in `Ground.made` by then, or ``unmade WHY``.
    """

    def hear(self, utterance: Utterance) -> None:
        """Take in an utterance that has ended."""

    def take_order(self) -> Order | None:
        """Return the order that was given since the last call, if one was."""

    def give_up(self) -> None:
        """Want no longer what was ordered last."""


class Rule(Protocol):
    """The recipe: a frozen dataclass that is one ``[[adaptation.rules]]`` of the session file."""

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            This rule cannot work with such a decoder.
        """


@dataclass(frozen=True)
class Adaptation:
    """The ``[adaptation]`` section of the session file.

    Parameters
    ----------
    on
        Learn from the start; else when somebody says so.
    most_change
        A version is refused when a weight has moved from the calibrated one by more than this,
        relative to the calibrated one (Frobenius norms); 0: no limit.
    keep
        How many versions can be gone back to. Beyond, every second one of the older half is let
        go; the first and the newest stay.
    shadow_trials
        A candidate learns beside the decoder, and takes over once it was better on so many
        trials; 0: what is learned counts at once.
    shadow_margin
        How much better: in the part of trials that it got right, or, of a continuous decoder, in
        the cosine between what was meant and what was said; and by two standard errors of that.
    shadow_labels
        Who says what was meant by the trials that both are judged by: the cues of ``[trials]``, or
        clients, by feedback of the kind ``label``.
    rules
        What is learned, and how.
    """

    on: bool = True
    most_change: float = 0.0
    keep: int = 256
    shadow_trials: int = 0
    shadow_margin: float = 0.05
    shadow_labels: Literal["cues", "feedback"] = "cues"
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if not self.most_change >= 0 or self.keep < 4 or self.shadow_trials < 0:
            raise ValueError(
                "adaptation needs most_change >= 0, keep >= 4 and shadow_trials >= 0; it has "
                f"most_change = {self.most_change}, keep = {self.keep}, "
                f"shadow_trials = {self.shadow_trials}"
            )
        if not self.shadow_margin >= 0:
            raise ValueError(f"shadow_margin must be 0 or more, not {self.shadow_margin}")
