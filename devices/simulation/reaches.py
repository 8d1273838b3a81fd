"""Intended velocity, bin by bin: reaches to targets, or a live LSL stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.signal import Signal
from devices.simulation.drive import Driven
from devices.simulation.intent import random_order
from devices.simulation.listener import Listener
from devices.simulation.tuning import CosineTuning

__all__ = [
    "LiveVelocity",
    "Moved",
    "Movement",
    "Reach",
    "Reaches",
    "VelocityDrive",
    "centre_out",
    "random_targets",
]

_STALE_S = 0.5


@dataclass(frozen=True, slots=True)
class Moved:
    """What was intended during one block.

    Parameters
    ----------
    velocity
        (n, 2) float64, vx and vy in m/s.
    marks
        Index into the block, and label; in order.
    """

    velocity: NDArray[np.float64]
    marks: tuple[tuple[int, str], ...] = ()


class Movement(Protocol):
    """Says what is intended, block after block."""

    def next(self, n: int, start_s: float) -> Moved:
        """Return what is intended in the next `n` bins of a stream that started at `start_s`."""

    def close(self) -> None:
        """Let go of what it listens to."""


class VelocityDrive:
    """Units that are tuned to an intended velocity, which is the truth.

    Parameters
    ----------
    tuning
        Of the units.
    movement
        What is intended.
    rate_hz
        Bins a second.
    """

    def __init__(self, tuning: CosineTuning, movement: Movement, rate_hz: float) -> None:
        self.truth_signal = Signal(rate_hz, ("vx", "vy"), "m/s")
        self._tuning = tuning
        self._movement = movement

    def next(self, n: int, start_s: float) -> Driven:
        """Return how they fire in the next `n` bins."""
        moved = self._movement.next(n, start_s)
        rates_hz = self._tuning.rates_hz(moved.velocity)
        return Driven(rates_hz, moved.velocity.astype(np.float32), moved.marks)

    def close(self) -> None:
        """Let go of the movement."""
        self._movement.close()


@dataclass(frozen=True, slots=True)
class Reach:
    """One reach: the target shows, and after a reaction time the movement begins.

    Parameters
    ----------
    label
        Marks the moment at which the target shows.
    wait_s
        From then to the movement.
    move_s
        Length of the movement.
    by_m
        (2,) how far it goes.
    """

    label: str
    wait_s: float
    move_s: float
    by_m: NDArray[np.float64]


def centre_out(radius_m: float, n_targets: int, rng: np.random.Generator) -> Iterator[Reach]:
    """Yield reaches to targets on a circle, in random order, each followed by the way back."""
    for k in random_order(n_targets, rng):
        angle = 2 * np.pi * k / n_targets
        out_m = radius_m * np.array([np.cos(angle), np.sin(angle)])
        yield Reach(f"target-{k}", *_lengths(rng), out_m)
        yield Reach("target-centre", *_lengths(rng), -out_m)


def random_targets(radius_m: float, rng: np.random.Generator) -> Iterator[Reach]:
    """Yield reaches from each target to the next, anywhere in a square of ± `radius_m`."""
    here = np.zeros(2)
    while True:
        there = rng.uniform(-radius_m, radius_m, 2)
        yield Reach("target", *_lengths(rng), there - here)
        here = there


class Reaches:
    """Reaches one after the other, with the velocity of minimum jerk.

    ``v(τ) = d / T · (30 τ² - 60 τ³ + 30 τ⁴)``, τ = t / T (Flash & Hogan, J. Neurosci. 5:1688,
    1985). Each target is marked with its label when it shows, the movement with ``reach``.

    Parameters
    ----------
    reaches
        What to reach for, without end.
    rate_hz
        Bins a second.
    """

    def __init__(self, reaches: Iterator[Reach], rate_hz: float) -> None:
        self._reaches = reaches
        self._rate_hz = rate_hz
        self._ahead = np.zeros((0, 2))
        self._marks: list[tuple[int, str]] = []

    def next(self, n: int, start_s: float) -> Moved:
        """Return what is intended in the next `n` bins."""
        while len(self._ahead) < n:
            self._plan(next(self._reaches))
        velocity, self._ahead = self._ahead[:n], self._ahead[n:]
        marks = tuple(mark for mark in self._marks if mark[0] < n)
        self._marks = [(at - n, label) for at, label in self._marks[len(marks) :]]
        return Moved(velocity, marks)

    def close(self) -> None:
        """Nothing to let go of."""

    def _plan(self, reach: Reach) -> None:
        shown = len(self._ahead)
        n_wait, n_move = (max(1, round(s * self._rate_hz)) for s in (reach.wait_s, reach.move_s))
        self._marks += [(shown, reach.label), (shown + n_wait, "reach")]
        part = (np.arange(n_move) + 0.5) / n_move
        speed = 30 * part**2 - 60 * part**3 + 30 * part**4
        # The bins add up to the whole way, so that an hour of reaches does not wander off.
        movement = np.outer(speed * self._rate_hz / speed.sum(), reach.by_m)
        self._ahead = np.concatenate((self._ahead, np.zeros((n_wait, 2)), movement))


class LiveVelocity:
    """Follows an LSL stream whose first two channels are vx and vy in m/s.

    Each bin takes the newest value that is not later than its end; what is older than 0.5 s
    counts as no movement: who is told nothing intends nothing.

    Parameters
    ----------
    stream
        Name of the LSL stream.
    rate_hz
        Bins a second.

    Raises
    ------
    DeviceNotFound, DeviceRefused
        There is no such stream, or it has not two channels of numbers.
    """

    def __init__(self, stream: str, rate_hz: float) -> None:
        self._listener = Listener(stream, of_text=False, n_channels=2)
        self._rate_hz = rate_hz
        self._first = 0
        self._times = np.array([-np.inf])
        self._values = np.zeros((1, 2))

    def next(self, n: int, start_s: float) -> Moved:
        """Return what is intended in the next `n` bins, by what has been said until now."""
        times, rows = self._listener.take()
        if rows:
            told = np.array([row[:2] for row in rows], np.float64)
            self._times = np.concatenate((self._times, times))
            self._values = np.concatenate((self._values, np.where(np.isfinite(told), told, 0.0)))
        ends = start_s + (self._first + np.arange(1, n + 1)) / self._rate_hz
        self._first += n
        newest = np.maximum(np.searchsorted(self._times, ends, side="right") - 1, 0)
        fresh = ends - self._times[newest] < _STALE_S
        velocity = self._values[newest] * fresh[:, None]
        self._times, self._values = self._times[newest[-1] :], self._values[newest[-1] :]
        return Moved(velocity)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _lengths(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a reaction time and a movement time in seconds."""
    return rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.8)
