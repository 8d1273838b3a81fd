"""How electrodes in speech motor cortex fire for movements of the articulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from devices.simulation.articulators import ARTICULATORS, EFFORT

__all__ = ["SpeechTuning"]

_N = len(ARTICULATORS)
_CHANGE = 2.0  # a change from one 20 ms bin to the next counts so many times a position


@dataclass(frozen=True, slots=True)
class SpeechTuning:
    """Rates that follow a few articulators each, and how they move.

    ``rate = max(0, baseline + W_p position + W_c change)``: electrodes over ventral precentral
    gyrus follow mixtures of articulators' movements, most of them few (Chartier et al., Neuron
    98:1042, 2018; Bouchard et al., Nature 495:327, 2013), and speech as such.

    Parameters
    ----------
    baseline_hz
        (n_units,) rates at rest.
    position
        (n_articulators, n_units) Hz for each unit of position.
    change
        (n_articulators, n_units) Hz for each unit of change from bin to bin.
    """

    DEPTH = 0.5
    """Standard depth of tuning over baseline: the difficulty, set once; see docs/simulators.md."""

    baseline_hz: NDArray[np.float64]
    position: NDArray[np.float64]
    change: NDArray[np.float64]

    @classmethod
    def draw(cls, n_units: int, rng: np.random.Generator) -> Self:
        """Draw a population.

        Threshold crossings come log-normally often, in the median 20 times a second. A unit
        follows one to four articulators' positions and as many changes, half of the units the
        effort to speak; depths are log-normal (σ 0.7), `DEPTH` times the baseline in the median.
        """
        baseline = rng.lognormal(np.log(20.0), 0.6, n_units)
        depth = cls.DEPTH * baseline * rng.lognormal(0.0, 0.7, n_units)
        position = _sparse(n_units, rng) * depth
        change = _sparse(n_units, rng) * depth * _CHANGE
        change[EFFORT] = 0.0
        position[EFFORT] = depth * rng.normal(0.5, 1.0, n_units) * (rng.random(n_units) < 0.5)
        return cls(baseline, position, change)

    @classmethod
    def untuned(cls, n_units: int, rng: np.random.Generator) -> Self:
        """Draw a population that fires whatever is said."""
        drawn = cls.draw(n_units, rng)
        return cls(drawn.baseline_hz, 0 * drawn.position, 0 * drawn.change)

    def rates_hz(
        self, position: NDArray[np.float64], change: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the rates for (n, n_articulators) positions and changes: (n, n_units) in Hz."""
        rates = position @ self.position
        rates += change @ self.change
        rates += self.baseline_hz
        return np.maximum(rates, 0.0, out=rates)

    def after(self, days: int, rng: np.random.Generator) -> Self:
        """Return what became of the population after so many days.

        Each day the tuning of a unit turns by 5° in a random direction, baselines and depths change
        by 8 % (log-normal), 1 % of the units fall silent and 1.5 % become others, as in
        `CosineTuning.after`.
        """
        parts = (self.baseline_hz.copy(), self.position.copy(), self.change.copy())
        baseline, position, change = parts
        n = len(baseline)
        for _ in range(days):
            for part in (position, change):
                _turn(part, np.radians(5.0), rng)
            baseline *= np.exp(0.08 * rng.standard_normal(n))
            factor = np.exp(0.08 * rng.standard_normal(n))
            position *= factor
            change *= factor
            others, is_other = type(self).draw(n, rng), rng.random(n) < 0.015
            is_lost = rng.random(n) < 0.01
            for part, other in zip(
                parts, (others.baseline_hz, others.position, others.change), strict=True
            ):
                part[..., is_other] = other[..., is_other]
                part[..., is_lost] = 0.0
        return type(self)(*parts)


def _sparse(n_units: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw (n_articulators, n_units) weights, one to four a unit; of length 1 for each unit."""
    rank = rng.random((_N, n_units)).argsort(axis=0)
    weights = rng.standard_normal((_N, n_units)) * (rank < rng.integers(1, 5, n_units))
    return weights / np.linalg.norm(weights, axis=0)


def _turn(weights: NDArray[np.float64], angle: float, rng: np.random.Generator) -> None:
    """Turn each column by an angle in a random direction; its length stays."""
    length = np.linalg.norm(weights, axis=0)
    along = weights / np.where(length > 0, length, 1.0)
    aside = rng.standard_normal(weights.shape)
    aside -= along * (along * aside).sum(axis=0)
    aside /= np.linalg.norm(aside, axis=0)
    weights[:] = length * (np.cos(angle) * along + np.sin(angle) * aside)
