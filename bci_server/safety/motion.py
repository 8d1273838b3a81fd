"""How a command may follow the one before: within its value, workspace, and rates of change. Pure.

A velocity keeps to its acceleration and stays where it can stop before the edge of its workspace; a
position keeps to its velocity, and where that is limited to its acceleration; a click does not come
before its time. To rest is to go to the resting value the same way.

Notation: ``x`` the value before, ``w`` the one that is wanted, ``a`` the slope, ``dt`` the time
between. From ``|v| T + v² / 2a ≤ room``, the way that a velocity takes if it stands for ``T`` more
and then brakes, follows the largest one that may stand, ``v = sqrt((aT)² + 2a room) - aT``. It is
always within reach: who keeps to it and brakes for ``dt ≤ T`` still keeps to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bci_server.safety.limits import Bound
from decoders.output import Mode

__all__ = ["Motion", "at_rest", "follow", "settle", "toward"]


@dataclass(frozen=True, slots=True)
class Motion:
    """What an effector was told last, and what must be known of before.

    Parameters
    ----------
    values
        One for each command; None where nothing was said yet, and nobody here knows where the
        effector is.
    rates
        Change of each value a second, over the last step.
    places
        Of velocities: how far each has led since it was armed.
    since_click_s
        Of clicks: seconds since the last.
    bounds
        What each keeps to.
    """

    values: tuple[float, ...] | None
    rates: tuple[float, ...]
    places: tuple[float, ...]
    since_click_s: float
    bounds: tuple[Bound, ...]


def at_rest(bounds: tuple[Bound, ...], mode: Mode) -> Motion:
    """Return the motion of an effector that was told nothing yet: only velocities are known."""
    zeros = (0.0,) * len(bounds)
    return Motion(zeros if mode == "velocity" else None, zeros, zeros, math.inf, bounds)


def follow(
    motion: Motion, wanted: tuple[float, ...], mode: Mode, elapsed_s: float, horizon_s: float
) -> Motion:
    """Return what may follow `motion` if the decoder wants `wanted`.

    Parameters
    ----------
    motion
        What was said last.
    wanted
        Finite, one for each command.
    mode
        What the values mean; not ``"neutral"``.
    elapsed_s
        Time since then.
    horizon_s
        How long the effector may act on a command.
    """
    if mode == "velocity":
        return _velocities(motion, wanted, elapsed_s, horizon_s)
    if mode == "click":
        return _clicks(motion, wanted, elapsed_s)
    return _positions(motion, wanted, elapsed_s)


def settle(motion: Motion, rest: tuple[float, ...], mode: Mode, elapsed_s: float) -> Motion:
    """Return `motion` a step nearer to `rest`; empty: as it is, but that time has passed."""
    values = motion.values
    if not rest or values is None:
        since_s = motion.since_click_s + elapsed_s
        return Motion(values, (0.0,) * len(motion.rates), motion.places, since_s, motion.bounds)
    if mode == "velocity":
        return _velocities(motion, rest, elapsed_s, 0.0)
    return _positions(motion, rest, elapsed_s)


def toward(value: float, wanted: float, most: float) -> float:
    """Return `wanted`, or as near to it as `most` leads from `value`."""
    return min(max(wanted, value - most), value + most)


def _velocities(
    motion: Motion, wanted: tuple[float, ...], elapsed_s: float, horizon_s: float
) -> Motion:
    before = motion.values or ()
    values, places = [], []
    for v, w, place, b in zip(before, wanted, motion.places, motion.bounds, strict=True):
        place += v * elapsed_s
        w = min(max(w, -b.largest), b.largest)
        w = min(w, _stoppable(b.high - place, b.slope, horizon_s))
        w = max(w, -_stoppable(place - b.low, b.slope, horizon_s))
        values.append(toward(v, w, b.slope * elapsed_s))
        places.append(place)
    return Motion(tuple(values), motion.rates, tuple(places), motion.since_click_s, motion.bounds)


def _stoppable(room: float, slope: float, horizon_s: float) -> float:
    """Return the largest velocity that stops within `room`, having stood for `horizon_s` more.

    Without an edge it is infinite.
    """
    stood = slope * horizon_s
    return math.sqrt(stood * stood + 2.0 * slope * max(0.0, room)) - stood


def _positions(motion: Motion, wanted: tuple[float, ...], elapsed_s: float) -> Motion:
    if motion.values is None:  # nobody here knows where it is: the effector has limits of its own
        first = tuple(_within(w, b) for w, b in zip(wanted, motion.bounds, strict=True))
        return Motion(first, motion.rates, motion.places, motion.since_click_s, motion.bounds)
    values, rates = [], []
    for x, rate, w, b in zip(motion.values, motion.rates, wanted, motion.bounds, strict=True):
        way = _within(w, b) - x
        speed = b.slope
        if b.bend < math.inf:  # slow enough to come to rest there
            speed = min(speed, math.sqrt(2.0 * b.bend * abs(way)))
        step = toward(0.0, way, speed * elapsed_s)
        if b.bend < math.inf and elapsed_s > 0.0:
            step = toward(rate, step / elapsed_s, b.bend * elapsed_s) * elapsed_s
        value = _within(x + step, b)
        values.append(value)
        rates.append((value - x) / elapsed_s if elapsed_s > 0.0 else rate)
    return Motion(tuple(values), tuple(rates), motion.places, motion.since_click_s, motion.bounds)


def _within(value: float, b: Bound) -> float:
    return min(max(value, -b.largest, b.low), b.largest, b.high)


def _clicks(motion: Motion, wanted: tuple[float, ...], elapsed_s: float) -> Motion:
    since_s = motion.since_click_s + elapsed_s
    slope = min(b.slope for b in motion.bounds)
    values = tuple(_within(w, b) for w, b in zip(wanted, motion.bounds, strict=True))
    if any(values) and not any(motion.values or ()):
        if since_s * slope < 1.0:
            values = (0.0,) * len(values)
        else:
            since_s = 0.0
    return Motion(values, motion.rates, motion.places, since_s, motion.bounds)
