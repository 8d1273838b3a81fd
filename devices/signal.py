"""The nouns of the whole program: what samples are, and the samples themselves.

Nothing else crosses between devices and decoders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chunk", "Event", "EventKind", "Marker", "Signal"]

EventKind = Literal["marker", "target", "label", "reward", "error", "position", "adapt", "speech"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What samples are.

    Parameters
    ----------
    rate_hz
        Nominal sampling rate, > 0.
    channels
        Channel names, in the order of the columns; unique.
    unit
        Unit of every value, in the spelling of `devices.units` (``"uV"``, ``"count"``, ``"m/s"``,
        ``"1"`` for a number without a unit).

    Raises
    ------
    ValueError
        On a rate that is not positive and finite, no channels, or two channels of one name.
    """

    rate_hz: float
    channels: tuple[str, ...]
    unit: str

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ValueError(f"rate_hz must be positive and finite, not {self.rate_hz!r}")
        if not self.channels:
            raise ValueError("a signal needs at least one channel")
        if len(set(self.channels)) < len(self.channels):
            twice = sorted({c for c in self.channels if self.channels.count(c) > 1})
            raise ValueError(f"channel names must be unique; twice: {', '.join(twice)}")

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples, as many as happened to arrive together.

    Parameters
    ----------
    times
        (n,) float64, seconds on the stream's clock, not decreasing. One a sample.
    values
        (n, n_channels), float32 as it leaves a device; a stage may widen to float64.
    gap
        True when samples directly before this chunk are missing: the stream stalled, came back,
        or the file has a hole. What remembers the past starts anew.

    Notes
    -----
    The arrays belong to whoever made them and hold until the next ``read`` or step. Copy what
    you keep.
    """

    times: NDArray[np.float64]
    values: NDArray[np.floating]
    gap: bool = False

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened, said in a word: a cue, a stimulus, a key.

    Parameters
    ----------
    time_s
        When, in seconds on the clock of the chunks of the same stream.
    label
        What, as the device says it; never empty.
    """

    time_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Event:
    """A marker, or feedback on what happened in the world, bound to a sample.

    Parameters
    ----------
    sample
        Index of the sample it belongs to, counted from the first of the run.
    label
        What happened.
    source
        Who said so: ``"device"``, ``"client"``.
    kind
        ``"marker"``, or what feedback it is: a ``target`` to reach, the ``label`` that was meant, a
        ``reward``, an ``error`` of the last decision, the ``position`` of the effector; or a switch
        of the adaptation (``adapt``), or what is asked of a decoder of ``speech``. See
        `decoders.feedback`.
    values
        Its numbers, if it has any: where the target is, how much reward.
    heard
        Index of the newest sample when it was said, where that is not `sample`: what is said of
        the past. It counts from the first block on that ends after it.
    """

    sample: int
    label: str
    source: str = "device"
    kind: EventKind = "marker"
    values: tuple[float, ...] = ()
    heard: int | None = None

    @property
    def known(self) -> int:
        """Index of the newest sample when it was said."""
        return self.sample if self.heard is None else self.heard
