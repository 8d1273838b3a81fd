"""A person who moves a cursor by meaning to: sees late, errs, and learns."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["Person"]


class Person:
    """Says what is intended, step by step, from where the cursor and the target are seen.

    The intended velocity points from the cursor to the target, at `speed` and slower within
    `near` of it (the assumption of ReFIT: Gilja et al., Nat. Neurosci. 15, 2012). A new target is
    acted on after the reaction time; the cursor is seen late, and what the person did since is
    expected, as by an internal model (Golub, Yu & Chase, eLife 4, 2015). The direction errs, the
    less so the longer it has been practised.

    Parameters
    ----------
    step_s
        Seconds a step.
    reaction_s
        From a new target to the first movement.
    sight_s
        How late the cursor is seen.
    speed, near
        In m/s, and in m.
    error_rad
        Standard deviation of the direction's error, at first; it changes within about 0.3 s.
    practice_s
        After so long the error has fallen to the part 1/e of the way to one half.
    rng
        Draws the errors.
    """

    def __init__(
        self,
        step_s: float,
        rng: np.random.Generator,
        reaction_s: float = 0.2,
        sight_s: float = 0.1,
        speed: float = 0.3,
        near: float = 0.05,
        error_rad: float = 0.2,
        practice_s: float = 600.0,
    ) -> None:
        self._step_s, self._rng = step_s, rng
        self._speed, self._near = speed, near
        self._error_rad, self._practice_s = error_rad, practice_s
        n_reaction, n_sight = (max(1, round(s / step_s)) for s in (reaction_s, sight_s))
        self._targets: deque[NDArray[np.float64] | None] = deque(
            [None] * n_reaction, maxlen=n_reaction
        )
        self._cursors: deque[NDArray[np.float64]] = deque(maxlen=n_sight)
        self._done: deque[NDArray[np.float64]] = deque(maxlen=n_sight)
        self._error = 0.0
        self._practised_s = 0.0

    def intend(
        self, cursor: NDArray[np.float64], target: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return the velocity that is meant now, (2,) m/s; nothing without a target."""
        self._cursors.append(np.array(cursor))
        noticed = self._targets[0]
        self._targets.append(None if target is None else np.array(target))
        self._practised_s += self._step_s
        self._err()
        meant = np.zeros(2)
        if noticed is not None:
            expected = self._cursors[0] + self._step_s * sum(self._done, np.zeros(2))
            left = noticed - expected
            distance = float(np.linalg.norm(left))
            if distance > 0:
                size = self._speed * min(1.0, distance / self._near)
                cos, sin = np.cos(self._error), np.sin(self._error)
                meant = size / distance * np.array([[cos, -sin], [sin, cos]]) @ left
        self._done.append(meant)
        return meant

    def _err(self) -> None:
        skill = 0.5 + 0.5 * float(np.exp(-self._practised_s / self._practice_s))
        keep = float(np.exp(-self._step_s / 0.3))
        drawn = self._rng.standard_normal() * self._error_rad * skill
        self._error = keep * self._error + float(np.sqrt(1 - keep**2)) * drawn
