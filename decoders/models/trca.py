"""Task-related component analysis: which of a few responses that are locked to the cue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_classes, check_width, softmax
from decoders.deciding.stopping import fit_temperature
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.output import Output, Prediction
from decoders.rows.locked import Aligned, SinceCue, align
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Trca"]

_FOLDS = 4
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Trca:
    r"""Which flicker is looked at, by how well the EEG follows the mean response to each.

    For each class the mix of channels that repeats best from trial to trial maximises
    :math:`w^T S w / w^T Q w`, with S the covariances between trials, summed, and Q that of all
    samples. Trial and mean response, both through the filters of all classes together (ensemble)
    or of one, are correlated in each band b of a filter bank, and :math:`\sum_b a_b \rho_b^2`
    with :math:`a_b = b^{-1.25} + 0.25` says how like they are (Nakanishi et al., "Enhancing
    detection of SSVEPs for a high-speed brain speller using task-related component analysis",
    IEEE Trans. Biomed. Eng. 65, 2018). Wants a flicker whose phase is the same in every trial; at
    rest it must guess.

    At each block the samples since the trial's cue are looked at; probabilities are of all of the
    trial so far (``evidence = "newest"``), and outside of trials there are none. Wants `samples`
    as the last stage, behind `filter_bank` where there are several bands, and ``start_s = 0``.

    Parameters
    ----------
    bands
        How many bands the filter bank has, the lowest first.
    skip_s
        What is left out after the cue: the eye is not there yet.
    ensemble
        Whether the filters of all classes look at every trial together.
    """

    task: ClassVar[Literal["classes"]] = "classes"

    bands: int = 1
    skip_s: float = 0.0
    ensemble: bool = True

    def __post_init__(self) -> None:
        if self.bands < 1 or self.skip_s < 0:
            raise ValueError(
                f"trca needs bands >= 1 and skip_s >= 0; it has bands = {self.bands}, skip_s = "
                f"{self.skip_s}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        check_classes(training)
        trials = self._in_bands(align(training))
        n_classes = len(training.labels)
        for k, label in enumerate(training.labels):
            if (n := int((trials.truths == k).sum())) < 2:
                raise Mismatch(
                    f"class {label!r} has {n} whole trials; what repeats needs two to be seen"
                )
        filters, templates = _fit(trials, n_classes)
        return {
            "filters": filters,
            "templates": templates,
            "temperature": np.array([self._temperature(trials, n_classes)]),
            "block": np.array([trials.block]),
            "skip": np.array([round(self.skip_s * trials.rate_hz)]),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        bands, n_channels, _ = weights["filters"].shape
        check_width(signal.n_channels, bands * n_channels * int(weights["block"][0]))
        return _Running(labels, weights, ensemble=self.ensemble)

    def _in_bands(self, trials: Aligned) -> Aligned:
        """Return the trials without what is skipped, the bands apart: (n_trials, n, bands, …)."""
        skip = round(self.skip_s * trials.rate_hz)
        n_trials, n, width = trials.values.shape
        if width % self.bands or n - skip < 2:
            raise Mismatch(
                f"{width} channels in {self.bands} bands, and trials of {n} samples of which "
                f"{skip} are skipped, leave nothing to look at; change bands or skip_s"
            )
        values = trials.values[:, skip:].reshape(n_trials, n - skip, self.bands, -1)
        return Aligned(values, trials.truths, trials.block, trials.rate_hz)

    def _temperature(self, trials: Aligned, n_classes: int) -> float:
        """Return what the scores are divided by, from trials that were left out."""
        fold_of = np.empty(len(trials.truths), np.int64)
        for k in range(n_classes):
            at = np.flatnonzero(trials.truths == k)
            fold_of[at] = np.arange(len(at)) * min(_FOLDS, len(at)) // len(at)
        left_out = []
        for fold in range(_FOLDS):
            kept = trials.part(fold_of != fold)
            if min(np.bincount(kept.truths, minlength=n_classes)) < 2:
                continue
            filters, templates = _fit(kept, n_classes)
            matching = _Matching(templates, ensemble=self.ensemble)
            for i in np.flatnonzero(fold_of == fold):
                y = np.einsum("tbc,bck->tbk", trials.values[i], filters)
                ends = range(trials.block, len(y) + 1, trials.block)
                scores = np.array([matching(y[:end]) for end in ends])
                left_out.append((scores, int(trials.truths[i])))
        return fit_temperature(left_out) if left_out else 1.0


def _fit(trials: Aligned, n_classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return filters, (bands, n_channels, classes), and templates, (classes, n, bands, classes).

    A template is the mean response of a class, seen through the filters of all classes.
    """
    n, bands, n_channels = trials.values.shape[1:]
    filters = np.empty((bands, n_channels, n_classes))
    means = np.empty((n_classes, n, bands, n_channels))
    for k in range(n_classes):
        of_class = trials.values[trials.truths == k]
        means[k] = of_class.mean(axis=0)
        for band in range(bands):
            filters[band, :, k] = _repeating(of_class[:, :, band])
    return filters, np.einsum("ktbc,bcf->ktbf", means, filters)


def _repeating(trials: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mix of channels, (n_channels,), that is most alike in all of (n_trials, n, …)."""
    from scipy.linalg import eigh

    x = trials - trials.mean(axis=1, keepdims=True)
    added = x.sum(axis=0)
    each = np.tensordot(x, x, ((0, 1), (0, 1)))
    between = added.T @ added - each
    each.flat[:: len(each) + 1] += max(np.trace(each) / len(each) * 1e-9, _TINY)
    _, vectors = eigh(between, each, subset_by_index=[len(each) - 1] * 2)
    best = vectors[:, 0]
    return np.asarray(best * np.sign(best[np.abs(best).argmax()]), np.float64)


class _Matching:
    """How like samples from the cue on are to each class's mean response."""

    def __init__(self, templates: NDArray[np.float64], *, ensemble: bool) -> None:
        n_classes, n, bands, _ = templates.shape
        if not ensemble:
            own = np.arange(n_classes)
            templates = templates[own, :, :, own][..., np.newaxis]
        self._ensemble = ensemble
        # (bands, classes, n, filters): each is looked at up to any sample.
        self._templates = np.ascontiguousarray(templates.transpose(2, 0, 1, 3))
        counts = np.arange(1, n + 1) * self._templates.shape[3]
        self._sums = np.cumsum(self._templates.sum(axis=3), axis=2)
        spread = np.cumsum((self._templates**2).sum(axis=3), axis=2) - self._sums**2 / counts
        self._norms = np.sqrt(np.maximum(spread, _TINY))
        order = np.arange(1, bands + 1)
        self._weights = (order**-1.25 + 0.25)[:, np.newaxis]

    def __call__(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one score a class of (n, bands, classes) samples, each through every filter."""
        n = len(y)
        templates = self._templates[:, :, :n]
        seen = y.transpose(1, 0, 2)
        if self._ensemble:
            seen = seen - seen.mean(axis=(1, 2), keepdims=True)
            products = np.einsum("bktf,btf->bk", templates, seen)
            norms = np.sqrt((seen**2).sum(axis=(1, 2)))[:, np.newaxis]
        else:
            seen = seen - seen.mean(axis=1, keepdims=True)
            products = np.einsum("bktf,btk->bk", templates, seen)
            norms = np.sqrt((seen**2).sum(axis=1))
        rho = products / np.maximum(norms * self._norms[:, :, n - 1], _TINY)
        scores = (self._weights * np.sign(rho) * rho**2).sum(axis=0)
        return np.asarray(n * scores, np.float64)


class _Running:
    def __init__(self, labels: tuple[str, ...], weights: Weights, *, ensemble: bool) -> None:
        self._labels = labels
        self._filters = np.ascontiguousarray(weights["filters"], np.float64)
        templates = np.asarray(weights["templates"], np.float64)
        self._matching = _Matching(templates, ensemble=ensemble)
        self._temperature = float(weights["temperature"][0])
        block, self._skip = int(weights["block"][0]), int(weights["skip"][0])
        bands, n_channels, n_classes = self._filters.shape
        self._past = SinceCue(templates.shape[1], bands * n_classes, block)
        self._shape = (block, bands, n_channels)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        for row in chunk.values:
            by_band = row.reshape(self._shape).transpose(1, 0, 2) @ self._filters
            self._past.add(by_band.transpose(1, 0, 2).reshape(self._shape[0], -1))
        if not len(chunk) or moment.cue is None:
            return ()
        y = self._past.since(moment.sample - moment.cue - self._skip)
        n_classes = len(self._labels)
        if not len(y):
            return (Prediction(self._labels, (1 / n_classes,) * n_classes),)
        scores = self._matching(y.reshape(len(y), -1, n_classes)) / self._temperature
        return (Prediction(self._labels, softmax(scores.tolist())),)
