"""A decoder that fails when a byte of a file says so: the kind ``faulty``, by an entry point."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from decoders.decoder import Moment, Training, Weights
from decoders.output import Command, Output
from devices.signal import Chunk, Signal

__all__ = ["Faulty"]

FAULTS = ("none", "raises", "nan", "slow", "hangs", "huge", "infinite", "other unit")
SLOW_S = 0.15
NAMES = ("x", "y")


@dataclass(frozen=True)
class Faulty:
    """Velocities on a slow ellipse, or whatever goes wrong.

    Parameters
    ----------
    byte
        File whose first byte is the index of the fault; see `FAULTS`.
    """

    byte: str

    @property
    def task(self) -> Literal["classes", "continuous"]:
        """What it decodes."""
        return "continuous"

    def fit(self, training: Training) -> Weights:
        """Learn nothing."""
        return {"none": np.zeros(1)}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decodes:
        """Start."""
        return Decodes(self.byte, unit)


class Decodes:
    """The running decoder."""

    def __init__(self, byte: str, unit: str) -> None:
        with Path(byte).open("rb") as file:
            self._byte = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
        self._unit = unit

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Say where to go."""
        if not len(chunk):
            return ()
        phase = 2e-3 * moment.sample + 1e-3 * float(chunk.values[-1, 0])
        values = (0.3 * math.cos(phase), 0.2 * math.sin(phase))
        unit = self._unit
        match FAULTS[self._byte[0]]:
            case "raises":
                raise ZeroDivisionError("told to")
            case "nan":
                values = (math.nan, 0.0)
            case "infinite":
                values = (0.0, -math.inf)
            case "huge":
                values = (1e6, -1e6)
            case "other unit":
                unit = "furlong"
            case "slow":
                time.sleep(SLOW_S)
            case "hangs":
                while FAULTS[self._byte[0]] == "hangs":
                    time.sleep(1e-3)
        return (Command("velocity", NAMES, values, unit, 0.9),)
