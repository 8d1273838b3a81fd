"""Filter-bank common spatial patterns: the bands and filters that say most about the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.discriminants import discriminants
from decoders.classifying.linear import LinearClassification, check_classes, check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.spd import LogPowers, matrices, power_weights
from decoders.numerics.window import FLOOR
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Fbcsp"]


@dataclass(frozen=True)
class Fbcsp:
    r"""Which class is it, by the power behind spatial filters in the bands that say most.

    In each band the filters that tell one class from the others best are found (common spatial
    patterns of normalised covariances, as many for the class as against it); two classes are one
    such question, k classes are k. Of the logarithms of all the powers those are kept that tell
    most of the answer by themselves (mutual information, estimated from the trials' means with
    Parzen windows), each with the filter at the other end of its band; all kept are classified by
    LDA with a shrunk covariance (Ang et al., "Filter bank common spatial pattern (FBCSP) in
    brain-computer interface", IJCNN 2008; "Filter bank common spatial pattern algorithm on BCI
    competition IV datasets 2a and 2b", Front. Neurosci. 6, 2012). Wants `filter_bank_covariance`
    as the last stage.

    Parameters
    ----------
    pairs
        Pairs of filters a band and question.
    features
        How many powers a question keeps, without those that come along as pairs.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    pairs: int = 2
    features: int = 4

    def __post_init__(self) -> None:
        if self.pairs < 1 or self.features < 1:
            raise ValueError(
                f"pairs and features must be at least 1, not {self.pairs} and {self.features}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        check_classes(training)
        bands = _bands(training.signal)
        by_band = [matrices(training.features[:, band]) for band in bands]
        k = len(training.labels)
        kept: list[NDArray[np.float64]] = []
        for label in range(1, 2) if k == 2 else range(k):
            kept += self._question(training, bands, by_band, training.targets == label)
        powers = np.unique(kept, axis=0)
        rows = np.log(np.maximum(training.features @ powers.T, FLOOR))
        return {**discriminants(rows, training.targets, k).weights(), "powers": powers}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        powers = np.asarray(weights["powers"], np.float64)
        check_width(signal.n_channels, powers.shape[1])
        return LinearClassification(labels, weights, LogPowers(powers))

    def _question(
        self,
        training: Training,
        bands: list[slice],
        by_band: list[NDArray[np.float64]],
        is_class: NDArray[np.bool_],
    ) -> list[NDArray[np.float64]]:
        """Return the powers that tell a class from the others, as weights of all features."""
        pairs = min(self.pairs, by_band[0].shape[1] // 2)
        if not pairs:
            raise Mismatch("spatial filters need two channels or more; there is one")
        candidates = np.zeros((2 * pairs * len(bands), training.features.shape[1]))
        for i, (band, full) in enumerate(zip(bands, by_band, strict=True)):
            filters = _patterns(full, is_class, pairs)
            candidates[2 * pairs * i : 2 * pairs * (i + 1), band] = power_weights(filters)
        logs = np.log(np.maximum(training.features @ candidates.T, FLOOR))
        trials, first = np.unique(training.groups, return_index=True)
        means = np.stack([logs[training.groups == trial].mean(axis=0) for trial in trials])
        told = [_information(column, is_class[first]) for column in means.T]
        best = np.argsort(told, kind="stable")[::-1][: self.features]
        # Of 2 m filters of a band, the i-th from the one end pairs with the i-th from the other.
        width = 2 * pairs
        others = best // width * width + (width - 1 - best % width)
        return [candidates[i] for i in sorted({*best.tolist(), *others.tolist()})]


def _bands(signal: Signal) -> list[slice]:
    """Return where the features of each band are, by what their names end with."""
    endings = [tuple(name.rsplit(" ", 2)[1:]) for name in signal.channels]
    begins = [i for i, e in enumerate(endings) if not i or e != endings[i - 1]]
    lengths = set(np.diff([*begins, len(endings)]).tolist())
    if len(lengths) != 1 or endings[0][-1:] != ("Hz",):
        raise Mismatch(
            f"features such as {signal.channels[0]!r} are no covariances in bands; the last stage "
            'must be kind = "filter_bank_covariance"'
        )
    return [slice(b, b + lengths.copy().pop()) for b in begins]


def _patterns(
    full: NDArray[np.float64], is_class: NDArray[np.bool_], pairs: int
) -> NDArray[np.float64]:
    """Return (2 · pairs, n_channels) filters: those of least power in a class, then of most."""
    from scipy.linalg import eigh

    normalised = full / np.trace(full, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
    one, other = normalised[is_class].mean(axis=0), normalised[~is_class].mean(axis=0)
    _, vectors = eigh(one, one + other)
    return np.asarray(np.concatenate([vectors.T[:pairs], vectors.T[-pairs:]]), np.float64)


def _information(values: NDArray[np.float64], is_class: NDArray[np.bool_]) -> float:
    """Return how many nats the values, (n,), tell of the class, densities by Parzen windows."""
    joint = []
    for which in (is_class, ~is_class):
        own = values[which]
        width = max(float(own.std(ddof=1)), 1e-12) * (4 / (3 * len(own))) ** 0.2
        distances = (values[:, np.newaxis] - own) / width
        density = np.exp(-0.5 * distances**2).mean(axis=1) / (width * math.sqrt(2 * math.pi))
        joint.append(density * which.mean())
    posterior = np.stack(joint) / np.maximum(sum(joint), np.finfo(np.float64).tiny)
    share = float(is_class.mean())
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    logs = np.log(np.maximum(posterior, 1e-300))
    return entropy + float((posterior * logs).sum(axis=0).mean())
