"""Where the effector is, where it should go, and so what was meant, block by block.

Clients say where targets are (``target``) and, now and then, where the effector is
(``position``). In between, the position is what the decoder's own velocities add up to.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground
from decoders.decoder import Event, Moment

__all__ = ["Intent"]

_LATE_S = 5.0
"""How far back a position may be said."""


class Intent:
    """Follows the effector and its target.

    Parameters
    ----------
    ground
        A decoder of velocities.

    Attributes
    ----------
    position
        (n_names,) where the effector is.
    target
        (n_names,) where it should go; not finite while nobody has said so.
    meant
        (n_names,) values that somebody said were meant with this block; not finite otherwise.
    """

    def __init__(self, ground: Ground) -> None:
        self._n = len(ground.labels)
        self._block_s = ground.block_s
        self.position = np.zeros(self._n)
        self.target = np.full(self._n, np.nan)
        self.meant = np.full(self._n, np.nan)
        # Position at the end of each of the last blocks, for what is said of the past.
        self._past: deque[tuple[int, NDArray[np.float64]]] = deque(
            maxlen=max(2, round(_LATE_S / ground.block_s))
        )

    def take(self, velocity: NDArray[np.float64], moment: Moment) -> None:
        """Take in what was commanded with this block, and what was said with it."""
        self.meant[:] = np.nan
        for event in moment.events:
            self._hear(event)
        self.position = self.position + self._block_s * velocity
        self._past.append((moment.sample, self.position))

    def way(self, velocity: NDArray[np.float64], moment: Moment) -> NDArray[np.float64] | None:
        """Take a block in, and return the way that is left to the target; None without one."""
        before = self.position
        self.take(velocity, moment)
        if np.isfinite(self.meant).all():
            return self.meant.copy()
        left = self.target - before
        return left if np.isfinite(left).all() else None

    def forget(self) -> None:
        """Take in that samples are missing: nobody knows where the effector went meanwhile."""
        self._past.clear()

    def _hear(self, event: Event) -> None:
        values = np.array(event.values)
        if event.kind == "target":
            # A target without a place, or of another world than the decoder's, is none.
            self.target = values if len(values) == self._n else np.full(self._n, np.nan)
        elif event.kind == "position" and len(values) == self._n:
            off = values - self._at(event.sample)
            self.position = self.position + off
            past = [(sample, position + off) for sample, position in self._past]
            self._past = deque(past, self._past.maxlen)
        elif event.kind == "label" and len(values) == self._n:
            self.meant[:] = values

    def _at(self, sample: int) -> NDArray[np.float64]:
        """Return where it was thought to be at `sample`."""
        for end, position in reversed(self._past):
            if end <= sample:
                return position
        return self._past[0][1] if self._past else self.position
