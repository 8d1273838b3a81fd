"""Centre-out and random-target cursor tasks, and Fitts throughput: the task alone, no connection.

Fed with velocities, it says what happened: a new target, a hit, a miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CursorTask", "Reach"]


@dataclass(frozen=True, slots=True)
class Reach:
    """One target, and what became of it.

    Parameters
    ----------
    bits
        Index of difficulty, log2(1 + distance / width), distance to the centre, width the diameter
        (MacKenzie 1992; ISO 9241-411).
    seconds
        From the target's appearance until it was entered for good, or was given up.
    hit
        Whether the cursor stayed in it.
    """

    bits: float
    seconds: float
    hit: bool


@dataclass
class CursorTask:
    """A cursor, a target, and the rule that ends each reach.

    Parameters
    ----------
    kind
        ``"centre_out"``: eight targets on a circle and back; ``"random_target"``: anywhere.
    radius_m
        How far targets are from the centre.
    target_radius_m
        Half of a target's width.
    dwell_s
        How long the cursor must stay inside.
    timeout_s
        When a target is given up.
    workspace_m
        The cursor stays within ± so much.
    seed
        Draws the targets.
    """

    kind: Literal["centre_out", "random_target"] = "random_target"
    radius_m: float = 0.1
    target_radius_m: float = 0.015
    dwell_s: float = 0.3
    timeout_s: float = 6.0
    workspace_m: float = 0.12
    seed: int = 0
    cursor: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    reaches: list[Reach] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self.label = ""
        self._next_target()

    def step(self, velocity: NDArray[np.float64], seconds: float) -> bool:
        """Move the cursor for `seconds`; return whether there is a new target."""
        moved = self.cursor + seconds * np.asarray(velocity, np.float64)
        self.cursor = np.clip(moved, -self.workspace_m, self.workspace_m)
        self._elapsed_s += seconds
        is_inside = float(np.linalg.norm(self.cursor - self.target)) <= self.target_radius_m
        if not is_inside:
            self._inside_s = 0.0
        elif self._inside_s == 0.0:
            self._entered_s = self._elapsed_s
        self._inside_s += seconds * is_inside
        hit = self._inside_s >= self.dwell_s
        if not hit and self._elapsed_s < self.timeout_s:
            return False
        took_s = self._entered_s if hit else self._elapsed_s
        self.reaches.append(Reach(self._bits, took_s, hit))
        self._next_target()
        return True

    def throughput(self, first: int = 0) -> float:
        """Return bit/s: the bits of all hits over the seconds of all reaches, from `first` on."""
        counted = self.reaches[first:]
        seconds = sum(r.seconds for r in counted)
        return sum(r.bits for r in counted if r.hit) / seconds if seconds else 0.0

    def _next_target(self) -> None:
        if self.kind == "random_target":
            self.label, self.target = "random", self._far_enough()
        elif self.label.startswith("out"):
            self.label, self.target = "centre", np.zeros(2)
        else:
            k = int(self._rng.integers(8))
            angle = k * math.pi / 4
            self.label = f"out-{k}"
            self.target = self.radius_m * np.array([math.cos(angle), math.sin(angle)])
        distance = float(np.linalg.norm(self.target - self.cursor))
        self._bits = math.log2(1 + distance / (2 * self.target_radius_m))
        self._elapsed_s = self._inside_s = self._entered_s = 0.0

    def _far_enough(self) -> NDArray[np.float64]:
        """Return a place that is not where the cursor is already."""
        while True:
            place = self._rng.uniform(-self.radius_m, self.radius_m, 2)
            if float(np.linalg.norm(place - self.cursor)) > 4 * self.target_radius_m:
                return place
