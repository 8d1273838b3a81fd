"""Adaptive stimulation: on while a feature of the brain is beyond a threshold, and ramped.

What implants do that stimulate on demand (Stanslaski et al., IEEE Trans. Neural Syst. Rehabil.
Eng. 20, 2012; Gilron et al., Nat. Biotechnol. 39, 2021): a detector compares a feature, such as the
power of a band, with a threshold; each of its states has an amplitude, which is approached in
steps. A pure function of what it is told: the same history gives the same amplitudes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ramping", "ThresholdRamp", "percentile_thresholds"]


@dataclass(frozen=True, slots=True)
class ThresholdRamp:
    """The recipe of a controller.

    Parameters
    ----------
    threshold
        The detector is on above it; below `release` off again, and in between as it was.
    on_amplitude, off_amplitude
        What is approached while the detector is on, and while it is off.
    rise, fall
        Largest step of an update, upwards and downwards; in the amplitude's unit.
    release
        None: the threshold itself.
    onset, termination
        How many updates in a row it takes to switch on, and off.
    """

    threshold: float
    on_amplitude: float
    rise: float
    fall: float
    off_amplitude: float = 0.0
    release: float | None = None
    onset: int = 1
    termination: int = 1

    def __post_init__(self) -> None:
        if not (self.rise > 0 and self.fall > 0):
            raise ValueError(f"rise and fall must be positive, not {self.rise!r}, {self.fall!r}")
        if self.release is not None and not self.release <= self.threshold:
            raise ValueError(
                f"release must be at most the threshold of {self.threshold!r}, not {self.release!r}"
            )
        if self.onset < 1 or self.termination < 1:
            raise ValueError("onset and termination are 1 update or more")

    def start(self, amplitude: float | None = None) -> Ramping:
        """Start off, at `amplitude` or at that of the off state."""
        return Ramping(self, self.off_amplitude if amplitude is None else amplitude)


class Ramping:
    """The running state of a controller.

    Attributes
    ----------
    is_on
        What the detector said last.
    amplitude
        What is to be given now.
    """

    def __init__(self, recipe: ThresholdRamp, amplitude: float) -> None:
        self._recipe = recipe
        self._release = recipe.threshold if recipe.release is None else recipe.release
        self.amplitude = amplitude
        self.is_on = False
        self._against = 0

    def __call__(self, feature: float) -> float:
        """Take in one value of the feature, and return the amplitude.

        The amplitude steps towards that of the state before this value: what is measured now is
        answered with the next update. A value that is no number speaks for off.
        """
        recipe = self._recipe
        wanted = recipe.on_amplitude if self.is_on else recipe.off_amplitude
        step = min(recipe.rise, max(-recipe.fall, wanted - self.amplitude))
        self.amplitude += step
        if self.is_on:
            speaks_against, needed = not feature > self._release, recipe.termination
        else:
            speaks_against, needed = feature > recipe.threshold, recipe.onset
        self._against = self._against + 1 if speaks_against else 0
        if self._against >= needed:
            self.is_on, self._against = not self.is_on, 0
        return self.amplitude


def percentile_thresholds(
    values: NDArray[np.float64], percentiles: Sequence[float] = (5.0, 95.0), smoothing: float = 0.18
) -> NDArray[np.float64]:
    """Return thresholds from how a feature varies while nothing is done.

    Parameters
    ----------
    values
        (n, n_channels), one row an update; rows with NaN are left out.
    percentiles
        Which percentiles of the smoothed values, by Hazen's rule.
    smoothing
        Weight of the newest value in the exponential average, which starts at 0.

    Returns
    -------
    ndarray
        (n_channels, n_percentiles) float64.

    Raises
    ------
    ValueError
        No row is whole.
    """
    rows = np.asarray(values, np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        raise ValueError(f"none of {len(values)} rows has a value in every channel")
    smoothed = np.empty_like(rows)
    last = np.zeros(rows.shape[1])
    for row, out in zip(rows, smoothed, strict=True):
        last = smoothing * row + (1 - smoothing) * last
        out[:] = last
    return np.percentile(smoothed, percentiles, axis=0, method="hazen").T
