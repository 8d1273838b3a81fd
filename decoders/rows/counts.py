"""Counts of spikes: what decoders that rest on them ask for."""

from __future__ import annotations

from decoders.decoder import Training
from decoders.stage import Mismatch

__all__ = ["check_counts"]


def check_counts(training: Training) -> None:
    """Refuse features that are no counts.

    Raises
    ------
    Mismatch
        One of them is below 0.
    """
    lowest = training.features.min(axis=0)
    if (lowest < 0).any():
        worst = int(lowest.argmin())
        raise Mismatch(
            f"counts are never below 0; {training.signal.channels[worst]} goes down to "
            f"{lowest[worst]:g}. Take stages out that centre the features (zscore, highpass)"
        )
