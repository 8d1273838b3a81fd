"""Rows, what was decoded from them, and where the effector and its target were: since when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground, Seen
from decoders.adapting.intent import Intent
from decoders.output import Command, Output, Voice

__all__ = ["Batch", "meant"]


class Batch:
    """Gathers rows of a decoder of values, with what is known of the intent at each.

    Parameters
    ----------
    ground
        The decoder.
    history
        Rows that one regressor is made of: the last so many, oldest first.
    reaction_s
        So long after a new target nobody moves towards it yet: such rows have no target.

    Attributes
    ----------
    n_targets
        How many targets have been shown, and values told, since the last `clear`.
    """

    def __init__(self, ground: Ground, history: int = 1, reaction_s: float = 0.0) -> None:
        self._intent = Intent(ground)
        self._history = history
        self._reaction = round(reaction_s / ground.block_s)
        self._reacting = 0
        self._before = np.zeros((0, ground.features.n_channels))
        self.clear()

    def clear(self) -> None:
        """Begin a new batch."""
        self._rows: list[NDArray[np.float64]] = []
        self._decoded: list[NDArray[np.float64]] = []
        self._positions: list[NDArray[np.float64]] = []
        self._targets: list[NDArray[np.float64]] = []
        self._told: list[NDArray[np.float64]] = []
        self.n_targets = 0
        self.first = self.last = 0

    def forget(self) -> None:
        """Take in that samples are missing."""
        self._intent.forget()
        self._before = self._before[:0]
        self.clear()

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, seen: Seen) -> None:
        """Take one block in; it counts once as many rows as the history have been seen."""
        decoded = _values(seen.outputs)
        if decoded is None:
            return
        intent = self._intent
        position = intent.position
        intent.take(decoded, seen.moment)
        self.n_targets += sum(
            e.kind == "target" or (e.kind == "label" and bool(e.values)) for e in seen.moment.events
        )
        self._reacting = max(0, self._reacting - 1)
        if any(e.kind == "target" for e in seen.moment.events):
            self._reacting = self._reaction
        self._before = np.concatenate([self._before, seen.rows])[-self._history :]
        if len(self._before) < self._history:
            return
        if not self._rows:
            self.first = seen.moment.sample
        self.last = seen.moment.sample
        self._rows.append(self._before.ravel())
        self._decoded.append(decoded)
        self._positions.append(position)
        target = np.full_like(intent.target, np.nan) if self._reacting else intent.target.copy()
        self._targets.append(target)
        self._told.append(intent.meant.copy())

    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """Return (n, …) rows, decoded values, positions, targets and told values; NaN: unknown."""
        return tuple(
            np.array(part)
            for part in (self._rows, self._decoded, self._positions, self._targets, self._told)
        )


def meant(
    how: str,
    decoded: NDArray[np.float64],
    left: NDArray[np.float64],
    radius: float,
    speed: float,
    near: float,
) -> NDArray[np.float64]:
    """Return what was meant, (n, k), of what was decoded and the way that was left.

    Parameters
    ----------
    how
        ``"rotate"``: what was decoded, turned towards the target; nothing within `radius` of it.
        ``"goal"``: towards the target at `speed`, slower when nearer than `near`, nothing within
        `radius`.
    decoded, left
        (n, k) velocities, and ways from the effector to its target.
    """
    distance = np.linalg.norm(left, axis=1)
    towards = left / np.maximum(distance, np.finfo(float).tiny)[:, None]
    if how == "rotate":
        size = np.linalg.norm(decoded, axis=1)
    else:
        size = speed * np.minimum(1.0, distance / near)
    return np.where(distance > radius, size, 0.0)[:, None] * towards


def _values(outputs: Sequence[Output]) -> NDArray[np.float64] | None:
    return next((np.array(o.values) for o in outputs if isinstance(o, Command | Voice)), None)
