"""What a simulated participant means, sample by sample: trials, or a live LSL stream of labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.simulation.listener import Listener

__all__ = [
    "IMAGERY",
    "REST",
    "Intent",
    "LiveIntent",
    "Meant",
    "TrialIntent",
    "TrialTiming",
    "random_order",
]

REST = "rest"

# How much the rhythms over C3, Cz and C4 give way: 1 desynchronises fully, below 0 grows instead.
IMAGERY: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "left": (0.2, 0.1, 1.0),
        "right": (1.0, 0.1, 0.2),
        "hands": (0.9, 0.1, 0.9),
        "feet": (-0.3, 1.0, -0.3),
    }
)


@dataclass(frozen=True, slots=True)
class Meant:
    """What was meant during one block.

    Parameters
    ----------
    classes
        (n,) int64: 0 at rest, else 1 + index of the class.
    onsets
        Indices into the block at which `classes` changed, and to what; in order.
    """

    classes: NDArray[np.int64]
    onsets: tuple[tuple[int, int], ...]


class Intent(Protocol):
    """Says what is meant, block after block."""

    def next(self, n: int, start_s: float) -> Meant:
        """Return what is meant in the next `n` samples of a stream that started at `start_s`."""

    def close(self) -> None:
        """Let go of what it listens to."""


@dataclass(frozen=True, slots=True)
class TrialTiming:
    """How long trials and the pauses before them are, in seconds.

    The pause is `pause_s` and a random part, evenly distributed up to `pause_jitter_s`.

    Raises
    ------
    ValueError
        On a trial or a pause without length, or a negative jitter.
    """

    trial_s: float
    pause_s: float
    pause_jitter_s: float

    def __post_init__(self) -> None:
        if not (self.trial_s > 0 and self.pause_s > 0 and self.pause_jitter_s >= 0):
            raise ValueError(
                "trial_s and pause_s must be positive and pause_jitter_s not negative, not "
                f"{self.trial_s!r}, {self.pause_s!r} and {self.pause_jitter_s!r}"
            )


def random_order(n_classes: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield class indices for ever, in random order; each run of 2 n_classes has each twice."""
    while True:
        yield from rng.permutation(np.repeat(np.arange(n_classes), 2)).tolist()


class TrialIntent:
    """Trials with pauses between them; the first begins with a pause.

    Parameters
    ----------
    classes
        Names of the classes.
    schedule
        Classes of the trials, in order, begun again when it is through; empty: random order.
    timing
        Of the trials.
    rate_hz
        Of the samples.
    rng
        Draws order and pauses, and nothing else.
    """

    def __init__(
        self,
        classes: Sequence[str],
        schedule: Sequence[str],
        timing: TrialTiming,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> None:
        order = (
            cycle([list(classes).index(name) for name in schedule])
            if schedule
            else random_order(len(classes), rng)
        )
        self._switches = _switches(order, timing, rate_hz, rng)
        self._next_switch = next(self._switches)
        self._now = 0
        self._first = 0

    def next(self, n: int, start_s: float) -> Meant:
        """Return what is meant in the next `n` samples."""
        onsets = []
        while self._next_switch[0] < self._first + n:
            sample, meant = self._next_switch
            onsets.append((sample - self._first, meant))
            self._next_switch = next(self._switches)
        self._first += n
        meant_now, self._now = self._now, onsets[-1][1] if onsets else self._now
        return _meant(n, meant_now, onsets)

    def close(self) -> None:
        """Nothing to let go of."""


class LiveIntent:
    """Follows an LSL stream of labels: a class, or anything of "rest" to stop.

    A label that is neither a class nor "rest" changes nothing: a task's stream says more than
    what is meant. A label takes effect at the first sample after its time that has not been made.

    Parameters
    ----------
    classes
        Names of the classes.
    stream
        Name of the LSL stream; its first channel is text.
    rate_hz
        Of the samples.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such stream, or it does not carry text.
    """

    def __init__(self, classes: Sequence[str], stream: str, rate_hz: float) -> None:
        self._number = {name: k for k, name in enumerate((REST, *classes))}
        self._listener = Listener(stream, of_text=True)
        self._rate_hz = rate_hz
        self._now = 0
        self._first = 0

    def next(self, n: int, start_s: float) -> Meant:
        """Return what is meant in the next `n` samples, by what has been said until now."""
        times, rows = self._listener.take()
        onsets = []
        meant_now = self._now
        for time_s, row in zip(times, rows, strict=True):
            meant = self._number.get(row[0])
            if meant is None or meant == self._now:
                continue
            at = int(np.ceil((time_s - start_s) * self._rate_hz)) - 1 - self._first
            onsets.append((min(max(at, 0), n - 1), meant))
            self._now = meant
        self._first += n
        return _meant(n, meant_now, onsets)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _meant(n: int, before: int, onsets: Sequence[tuple[int, int]]) -> Meant:
    classes = np.full(n, before, np.int64)
    for at, meant in onsets:
        classes[at:] = meant
    return Meant(classes, tuple(onsets))


def _switches(
    order: Iterator[int], timing: TrialTiming, rate_hz: float, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    time_s = 0.0
    for index in order:
        time_s += timing.pause_s + timing.pause_jitter_s * rng.random()
        yield round(time_s * rate_hz), 1 + index
        time_s += timing.trial_s
        yield round(time_s * rate_hz), 0
