"""What the scripts for EEG sets share: one stream of samples and its cues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aligned
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CuedEeg:
    """Samples, (n, n_channels) µV, and cues: each the sample that it falls on, and its label.

    Samples that were cut out of a longer recording are missing for `pause_s` after each `piece`.
    """

    rate_hz: float
    channels: tuple[str, ...]
    values: NDArray[np.floating]
    cues: Sequence[tuple[float, str]]
    pause_s: float = 0.0
    piece: int = 0

    def aligned(self) -> aligned.Aligned:
        """Return the streams ``eeg`` and ``cues``."""
        sample = np.arange(len(self.values))
        pauses = sample // self.piece if self.piece else 0
        values = np.asarray(self.values, np.float32)
        return aligned.Aligned(
            self.rate_hz,
            sample / self.rate_hz + pauses * self.pause_s,
            [aligned.Stream("eeg", "EEG", self.channels, "microvolts", values)],
            {"cues": self.cues},
            np.arange(0, len(sample), self.piece) if self.piece else None,
        )


def main(
    name: str, document: str, read: Callable[[Path], CuedEeg], arguments: list[str] | None
) -> int:
    """Convert one file, as a script's whole work; return the exit code."""
    return aligned.main(name, document, lambda path: read(path).aligned(), arguments)
