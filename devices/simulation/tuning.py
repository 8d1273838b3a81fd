"""How units in motor cortex fire for an intended velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["CosineTuning"]


@dataclass(frozen=True, slots=True)
class CosineTuning:
    """Rates that follow the cosine between the movement and each unit's preferred direction.

    ``rate = max(0, baseline + |v| (speed_gain + depth cos(angle(v) - preferred)))``
    (Georgopoulos et al., J. Neurosci. 2:1527, 1982; with speed: Moran & Schwartz,
    J. Neurophysiol. 82:2676, 1999, eq. 3).

    Parameters
    ----------
    preferred_rad
        (n_units,) preferred directions, in radians from +x.
    baseline_hz
        (n_units,) rates at rest.
    depth
        (n_units,) modulation, in Hz for each m/s.
    speed_gain
        (n_units,) rise with speed in any direction, in Hz for each m/s.
    """

    preferred_rad: NDArray[np.float64]
    baseline_hz: NDArray[np.float64]
    depth: NDArray[np.float64]
    speed_gain: NDArray[np.float64]

    @classmethod
    def draw(cls, n_units: int, rng: np.random.Generator) -> Self:
        """Draw a population.

        Preferred directions are even around the circle; baselines log-normal with a median of
        8 Hz; depths log-normal, in the median 6 Hz at 0.25 m/s, so that a good part of the units
        is hardly tuned, as on implanted arrays.
        """
        return cls(
            preferred_rad=rng.uniform(-np.pi, np.pi, n_units),
            baseline_hz=rng.lognormal(np.log(8.0), 0.7, n_units),
            depth=rng.lognormal(np.log(24.0), 0.8, n_units),
            speed_gain=rng.normal(4.0, 8.0, n_units),
        )

    def rates_hz(self, velocity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rates for (n, 2) velocities in m/s: (n, n_units) in Hz."""
        towards = np.vstack((np.cos(self.preferred_rad), np.sin(self.preferred_rad))) * self.depth
        speed = np.linalg.norm(velocity, axis=1)
        rates = velocity @ towards
        rates += np.outer(speed, self.speed_gain)
        rates += self.baseline_hz
        return np.maximum(rates, 0.0, out=rates)
