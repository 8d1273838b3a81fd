"""Linear discriminant analysis with a shrunk covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from decoders.classifying.discriminants import Shrinkage, discriminants
from decoders.classifying.linear import LinearClassification, check_classes, check_width
from decoders.decoder import Decoding, Training, Weights
from devices.signal import Signal

__all__ = ["Lda"]

_MOST_TO_ADAPT = 1024


@dataclass(frozen=True)
class Lda:
    r"""Which class is it, by linear discriminant analysis with a shrunk covariance.

    Classes are Gaussians with means :math:`\mu_k` and one covariance :math:`\Sigma`; the
    log-odds are linear: :math:`\mu_k^T \Sigma^{-1} x - \mu_k^T \Sigma^{-1} \mu_k / 2 +
    \ln \pi_k`. The covariance is shrunk by Ledoit and Wolf's formula, which is what makes LDA
    work on few trials (Blankertz et al., "Single-trial analysis and classification of ERP
    components", NeuroImage 56, 2011). The solution is that of
    scikit-learn's solver ``lsqr``.

    Parameters
    ----------
    shrinkage
        0 (none) to 1 (diagonal); ``"auto"``: Ledoit-Wolf.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    shrinkage: Shrinkage = "auto"

    def __post_init__(self) -> None:
        if self.shrinkage != "auto" and not 0 <= self.shrinkage <= 1:
            raise ValueError(f'shrinkage must be "auto" or 0 to 1, not {self.shrinkage!r}')

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        check_classes(training)
        found = discriminants(
            training.features, training.targets, len(training.labels), self.shrinkage
        )
        weights = found.weights()
        if training.features.shape[1] > _MOST_TO_ADAPT:
            return weights
        # Not needed to decode, but to go on learning: see `decoders.adapting.rules.recursive_lda`.
        return {**weights, "means": found.means, "covariance": found.covariance}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["coef"].shape[1])
        return LinearClassification(labels, weights)
