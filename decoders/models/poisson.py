"""Naive Bayes for counts of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import LinearClassification, check_classes, check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.rows.counts import check_counts
from devices.signal import Signal

__all__ = ["Poisson"]


@dataclass(frozen=True)
class Poisson:
    r"""Which class is it, if each unit fires at a rate of its own for each class.

    :math:`\ln p(n | k) = \sum_i n_i \ln \lambda_{ki} - \lambda_{ki}` and what all classes share,
    the classes equally likely beforehand (Santhanam et al., "A high-performance brain-computer
    interface", Nature 442, 2006). The rates are means over the training, drawn a little towards
    the mean of all classes (a gamma prior), so that a unit that was silent for one class rules
    nothing out. The log probabilities of a trial's blocks add up to what all its counts say
    together.

    Wants counts: whole or smoothed, never below 0.

    Parameters
    ----------
    prior_rows
        As many rows as the prior weighs.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    prior_rows: float = 1.0

    def __post_init__(self) -> None:
        if not self.prior_rows > 0:
            raise ValueError(f"prior_rows must be positive, not {self.prior_rows}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        check_classes(training)
        check_counts(training)
        rates = _rates(training, self.prior_rows)
        heard = rates.max(axis=0) > 0
        coef = np.zeros_like(rates)
        coef[:, heard] = np.log(rates[:, heard])
        return {"coef": coef, "intercept": -rates.sum(axis=1)}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["coef"].shape[1])
        return LinearClassification(labels, weights)


def _rates(training: Training, prior_rows: float) -> NDArray[np.float64]:
    """Return the posterior mean rate of each class and unit, in counts a row."""
    overall = training.features.mean(axis=0)
    rates = [
        (rows.sum(axis=0) + prior_rows * overall) / (len(rows) + prior_rows)
        for rows in (training.features[training.targets == k] for k in range(len(training.labels)))
    ]
    return np.stack(rates)
