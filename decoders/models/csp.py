"""Common spatial patterns: log power behind a few spatial filters, and LDA on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.discriminants import discriminants
from decoders.classifying.linear import LinearClassification, check_classes, check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.spd import LogPowers, matrices, n_triangle, power_weights
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Csp"]


@dataclass(frozen=True)
class Csp:
    r"""Which class is it, by the power behind the spatial filters that tell the classes best.

    The filters w diagonalise the classes' mean covariances together; the features are
    :math:`\ln w_i^T C w_i`, classified by LDA with a shrunk covariance (Blankertz et al.,
    "Optimizing spatial filters for robust EEG single-trial analysis", IEEE Signal Process. Mag.
    25, 2008; more than two classes: Grosse-Wentrup & Buss, IEEE Trans. Biomed. Eng. 55, 2008).
    The filters are pyriemann's. Wants a covariance as the last stage.

    Parameters
    ----------
    filters
        How many spatial filters are kept, those that tell the classes best.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    filters: int = 6

    def __post_init__(self) -> None:
        if self.filters < 1:
            raise ValueError(f"filters must be at least 1, not {self.filters}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from pyriemann.spatialfilters import CSP

        check_classes(training)
        full = matrices(training.features)
        if self.filters > full.shape[1]:
            raise Mismatch(
                f"{self.filters} spatial filters cannot be had from {full.shape[1]} channels; "
                "use fewer filters"
            )
        patterns = CSP(nfilter=self.filters, metric="euclid", log=True)
        rows = patterns.fit_transform(full, training.targets)
        weights = discriminants(rows, training.targets, len(training.labels)).weights()
        return {**weights, "filters": np.asarray(patterns.filters_, np.float64)}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        filters = np.asarray(weights["filters"], np.float64)
        check_width(signal.n_channels, n_triangle(filters.shape[1]))
        return LinearClassification(labels, weights, LogPowers(power_weights(filters)))
