"""A decoder is a recipe; fitted, it has weights; started, it is a decoding.

Weights are plain arrays, shared and immutable. The decoding is one stream's state. Nothing here
reads a clock, a socket or a file: what changes a decoder while it runs is an event, bound to a
sample index, so that a session replays exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from decoders.output import Output
from devices.signal import Chunk, Event, Signal

__all__ = [
    "Decoder",
    "Decoding",
    "Event",
    "Moment",
    "Nudged",
    "OfSessions",
    "Settling",
    "Training",
    "Tunable",
    "Weights",
]

Weights = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in the stream a block ends, and what has happened by then.

    Parameters
    ----------
    sample
        Index of the newest sample, counted from the first of the run.
    time_s
        Its time on the stream's clock.
    events
        The events that became known with this block, in order of their samples. None lies ahead
        of `sample`; one may lie well before it, when it arrived late.
    cue
        Sample of the cue of the trial that the block lies in, the newest of several; None
        outside of trials, and once a trial is decided.
    """

    sample: int
    time_s: float
    events: tuple[Event, ...] = ()
    cue: int | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """What a decoder is fitted on: the rows that the live steps put out, and what was meant.

    Parameters
    ----------
    signal
        What the columns are.
    features
        (n, n_features) float64, in the order of time.
    targets
        (n,) int64, index into `labels`; or (n, n_names) float64 for a continuous decoder. Of a
        decoder of speech, (n,) int64: rows that follow each other without a gap, from sentence to
        sentence, share a number.
    groups
        (n,) int64: rows of one trial (or of one stretch without a gap) share a number. Rows of
        one group are consecutive and evenly spaced.
    labels
        Class names, or the names of the target's columns.
    unit
        Unit of a continuous target; empty for classes.
    ages
        (n,) int64: how many samples after its trial's cue, or its sentence's begin, each row ends;
        below 0 in the silence before a sentence. None without trials.
    sessions
        (n,) int64: rows of one session (one placement of the electrodes) share a number, ascending
        in the order that the sessions were given; None: all are of one.
    spoken
        (m, 2) int64, of a decoder of speech: the group, and a phoneme that was to be said in it
        (its number in `devices.speech.phonemes.CLASSES`), in the order of time; None for others.
    """

    signal: Signal
    features: NDArray[np.float64]
    targets: NDArray[np.generic]
    groups: NDArray[np.int64]
    labels: tuple[str, ...]
    unit: str = ""
    ages: NDArray[np.int64] | None = None
    sessions: NDArray[np.int64] | None = None
    spoken: NDArray[np.int64] | None = None

    def part(self, rows: NDArray[np.generic]) -> Training:
        """Return some of the rows, picked by a mask or by their numbers."""
        spoken = self.spoken
        if spoken is not None:
            spoken = spoken[np.isin(spoken[:, 0], self.groups[rows])]
        return replace(
            self,
            features=self.features[rows],
            targets=self.targets[rows],
            groups=self.groups[rows],
            ages=None if self.ages is None else self.ages[rows],
            sessions=None if self.sessions is None else self.sessions[rows],
            spoken=spoken,
        )

    @property
    def session_numbers(self) -> tuple[int, ...]:
        """The sessions that rows are of, in order."""
        return (0,) if self.sessions is None else tuple(np.unique(self.sessions).tolist())

    def is_session(self, number: int) -> NDArray[np.bool_]:
        """Return, (n,), which rows are of the session `number`."""
        if self.sessions is None:
            return np.full(len(self.features), number == 0)
        return self.sessions == number

    def of_session(self, number: int) -> Training:
        """Return the rows of one session."""
        return self.part(self.is_session(number))


class Decoding(Protocol):
    """The running state of a decoder on one stream."""

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what this block means. An empty chunk (steps still filling) gives nothing.

        Every row of the chunk is taken in, in order; the outputs are of the last row. A decoder of
        speech gives a prediction for each step that ends in the chunk, none between.
        """


class Decoder(Protocol):
    """The recipe: a frozen dataclass that is the ``[decoder]`` section of the session file."""

    @property
    def task(self) -> Literal["classes", "continuous", "speech"]:
        """What it decodes, a constant of its class.

        ``"classes"``: targets are labels; the decoding gives a `Prediction`. ``"continuous"``:
        targets are values; the decoding gives a `Command`. ``"speech"``: sentences, of which only
        the phonemes and their order are known; the decoding gives a `Prediction` over
        `devices.speech.phonemes.CLASSES` at the end of each step, which a language turns to words.
        """

    # A decoder to which one class says what the others are like, as a code does, has
    # ``shares_classes: ClassVar[bool] = True``: some of its classes may then lack trials.

    def fit(self, training: Training) -> Weights:
        """Fit to `training`. Libraries that fit are imported here, never at the top of a file.

        The same training gives the same weights, to the bit.

        Raises
        ------
        Mismatch
            There is too little, or the wrong kind, to fit on.
        """

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run on what the chain puts out, with what `fit` returned.

        Raises
        ------
        Mismatch
            The weights were not fitted for such a signal.
        """


@runtime_checkable
class Settling(Decoder, Protocol):
    """A decoder that can be brought to another day by rows alone, which nobody labelled."""

    def settle(self, rows: NDArray[np.float64], weights: Weights) -> Weights:
        """Return `weights`, which `fit`, `tune` or this gave, moved to suit (n, n_features) rows.

        What was done in them, and when, does not matter, but that it was much the same as before.
        """


@runtime_checkable
class Tunable(Decoder, Protocol):
    """A decoder that can begin from weights of before: other people's, or another day's."""

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Return `weights`, which `fit` or `tune` gave, moved to suit `training` too.

        Raises
        ------
        Mismatch
            There is too little, or the wrong kind, to tune on.
        """


@runtime_checkable
class Nudged(Decoder, Protocol):
    """A decoder that can take one small step towards what it has just heard."""

    def nudge(self, training: Training, weights: Weights, *, copies: int, step: float) -> Weights:
        """Return `weights` after one step of the gradient over masked copies of `training`.

        Parameters
        ----------
        training
            One utterance, with its label.
        weights
            To begin from.
        copies
            How many, each with other rows hidden.
        step
            How far: a part of the size of what moves.
        """


@runtime_checkable
class OfSessions(Decoder, Protocol):
    """A decoder whose weights hold something of each session of its training."""

    def of_session(self, weights: Weights, session: int) -> Weights:
        """Return `weights` for rows of one of the sessions that they were fitted on."""
