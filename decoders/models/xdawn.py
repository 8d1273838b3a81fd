"""xDAWN: spatial filters that bring out evoked responses, and LDA on what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from decoders.classifying.discriminants import discriminants
from decoders.classifying.linear import LinearClassification, check_classes, check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.rows.epochs import epochs, xdawn_filters
from devices.signal import Signal

__all__ = ["Xdawn"]


@dataclass(frozen=True)
class Xdawn:
    r"""Which class is it, by its evoked response, seen through the filters that bring it out.

    For each class the mixes of channels w have the highest ratio of the power of the mean
    response to that of all epochs, :math:`w^T \bar X \bar X^T w / w^T C w`; their time courses
    are classified by LDA with a shrunk covariance (Rivet et al., "xDAWN algorithm to enhance
    evoked potentials: application to brain-computer interface", IEEE Trans. Biomed. Eng. 56,
    2009). The filters are pyriemann's. Wants `epoch` as the last stage.

    Parameters
    ----------
    filters
        How many mixes are kept for each class.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    filters: int = 2

    def __post_init__(self) -> None:
        if self.filters < 1:
            raise ValueError(f"filters must be at least 1, not {self.filters}")

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        check_classes(training)
        filters, _ = xdawn_filters(training, self.filters)
        whole = epochs(training.features, filters.shape[1])
        k = len(training.labels)
        seen = (filters @ whole).reshape(len(whole), -1)
        weights = discriminants(seen, training.targets, k).weights()
        # What is linear after what is linear is linear: the filters go into the weights.
        coef = np.asarray(weights["coef"], np.float64).reshape(k, len(filters), -1)
        whole_coef = np.einsum("kft,fc->kct", coef, filters).reshape(k, -1)
        return {**weights, "coef": whole_coef, "filters": filters}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["coef"].shape[1])
        return LinearClassification(labels, weights)
