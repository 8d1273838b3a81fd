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

    def after(self, days: int, rng: np.random.Generator) -> Self:
        """Return what became of the population after so many days.

        Each day preferred directions wander by 5°, baselines and depths change by 8 % (log-normal),
        1 % of the units fall silent, and 1.5 % are replaced by others: as arrays do, on which half
        of the units are others after some weeks (Dickey et al., J. Neurophysiol. 102, 2009;
        Chestek et al., J. Neural Eng. 8, 2011; Downey et al., J. Neural Eng. 15, 2018).
        """
        preferred, baseline, depth, gain = (
            part.copy()
            for part in (self.preferred_rad, self.baseline_hz, self.depth, self.speed_gain)
        )
        n = len(preferred)
        for _ in range(days):
            preferred += np.radians(5.0) * rng.standard_normal(n)
            baseline *= np.exp(0.08 * rng.standard_normal(n))
            factor = np.exp(0.08 * rng.standard_normal(n))
            depth, gain = depth * factor, gain * factor
            others, is_other = type(self).draw(n, rng), rng.random(n) < 0.015
            for part, other in (
                (preferred, others.preferred_rad),
                (baseline, others.baseline_hz),
                (depth, others.depth),
                (gain, others.speed_gain),
            ):
                part[is_other] = other[is_other]
            is_lost = rng.random(n) < 0.01
            baseline[is_lost] = depth[is_lost] = gain[is_lost] = 0.0
        return type(self)(preferred, baseline, depth, gain)
