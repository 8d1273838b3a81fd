"""Reconvolution CCA: which code a person looks at, from responses to its flashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width, softmax
from decoders.deciding.stopping import fit_temperature
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.output import Output, Prediction
from decoders.rows.locked import Aligned, SinceCue, align, likeness
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["Rcca"]

_FOLDS = 4
_FEWEST_TRIALS = 4
_EPSILON = 1e-9


@dataclass(frozen=True)
class Rcca:
    r"""Which code is looked at, by how well the EEG follows the responses to the code's events.

    Each flash of a code is an event, and each kind of event has one response, so the response to
    a whole code is :math:`M r`, with M the code's events, one column for each kind of event and
    sample since. Canonical correlation analysis finds the mix of channels w and the responses r
    with the highest correlation of :math:`X w` and :math:`M r` over the trials. So what is
    learned of some codes holds for all of them, and any code has a template (Thielen et al.,
    "Broad-band visually evoked potentials: re(con)volution in brain-computer interfacing", PLoS
    ONE 10, 2015; "From full calibration to zero training for a code-modulated visual evoked
    potentials brain-computer interface", J. Neural Eng. 18, 2021).

    At each block the samples since the trial's cue are correlated with every code's template;
    probabilities are of all of the trial so far (``evidence = "newest"``), and outside of trials
    there are none. Wants `samples` as the last stage, and ``start_s = 0``.

    Parameters
    ----------
    codes
        For each class its code, one digit a bit: ``{ A = "0110…", B = "1010…" }``. It repeats.
    code_rate_hz
        Bits a second.
    response_s
        How long the response to an event lasts, with the delay of the filters before.
    events
        What an event is: ``"duration"``, a flash, each length a kind of its own; or ``"edges"``:
        a light that goes on, or off.
    onset
        Whether the first flash of a trial has a response of its own besides.
    filter_s
        Length of the temporal filter that each channel has in the mix: it takes in samples so
        long past; 0: the newest alone.
    shrinkage
        0 to 1: how far the covariance of the channels is shrunk to a multiple of the identity.
    """

    task: ClassVar[Literal["classes"]] = "classes"
    shares_classes: ClassVar[bool] = True

    codes: Mapping[str, str]
    code_rate_hz: float
    response_s: float = 0.3
    events: Literal["duration", "edges"] = "duration"
    onset: bool = False
    filter_s: float = 0.0
    shrinkage: float = 0.0

    def __post_init__(self) -> None:
        for name, code in self.codes.items():
            if set(code) != {"0", "1"}:
                raise ValueError(f"the code of {name!r} must be of the digits 0 and 1, and of both")
        if not self.codes or not self.code_rate_hz > 0 or not self.response_s > 0:
            raise ValueError(
                "rcca needs codes, code_rate_hz > 0 and response_s > 0; it has "
                f"{len(self.codes)} codes, code_rate_hz = {self.code_rate_hz}, response_s = "
                f"{self.response_s}"
            )
        if not 0 <= self.shrinkage <= 1 or self.filter_s < 0:
            raise ValueError(
                "rcca needs shrinkage from 0 to 1 and filter_s >= 0; it has shrinkage = "
                f"{self.shrinkage}, filter_s = {self.filter_s}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        if missing := [label for label in training.labels if label not in self.codes]:
            raise Mismatch(f"class {missing[0]!r} has no code; there are {', '.join(self.codes)}")
        trials = align(training, _FEWEST_TRIALS)
        n = trials.values.shape[1]
        order = [list(self.codes).index(label) for label in training.labels]
        structure = self._structures(n, trials.rate_hz)[order]
        trials = replace(trials, values=_embedded(trials.values, self._lags(trials.rate_hz)))
        spatial, templates = self._fit(trials, structure)
        temperature = self._temperature(trials, structure)
        return {
            "spatial": spatial.reshape(self._lags(trials.rate_hz), -1),
            "templates": templates,
            "temperature": np.array([temperature]),
            "block": np.array([trials.block]),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["spatial"].shape[1] * int(weights["block"][0]))
        return _Running(labels, weights)

    def _lags(self, rate_hz: float) -> int:
        return max(1, round(self.filter_s * rate_hz))

    def _structures(self, n: int, rate_hz: float) -> NDArray[np.float64]:
        """Return, for each code, (n, n_columns): which event was how many samples ago."""
        lags = max(1, round(self.response_s * rate_hz))
        happened = self._happened(n, rate_hz)
        columns = np.zeros((len(happened), n, len(happened[0]), lags))
        for code, kinds in zip(columns, happened, strict=True):
            for kind, begins in enumerate(kinds):
                for begin in begins:
                    reach = np.arange(begin, min(n, begin + lags))
                    code[reach, kind, reach - begin] = 1.0
        return columns.reshape(len(happened), n, -1)

    def _happened(self, n: int, rate_hz: float) -> list[list[list[int]]]:
        """Return, for each code and each kind of event, the samples below n that it falls on."""
        n_bits = int(np.ceil(n * self.code_rate_hz / rate_hz)) + 1
        runs = [_runs(code, n_bits) for code in self.codes.values()]
        lengths = sorted({length for code in runs for _, length in code})
        happened = []
        for code in runs:
            ends = [bit + length for bit, length in code]
            kinds = [[bit for bit, length in code if length == k] for k in lengths]
            if self.events == "edges":
                kinds = [[bit for bit, _ in code], ends]
            if self.onset:
                kinds.append([0])
            # A bit begins with the first sample that does not lie before it.
            samples = [
                [int(np.ceil(bit * rate_hz / self.code_rate_hz - _EPSILON)) for bit in kind]
                for kind in kinds
            ]
            happened.append([[at for at in kind if at < n] for kind in samples])
        return happened

    def _fit(
        self, trials: Aligned, structure: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mix of columns, (n_columns,), and the templates, (n_codes, n_samples)."""
        x = trials.values - trials.values.mean(axis=(0, 1))
        shown = structure[trials.truths]
        shown = shown - shown.mean(axis=(0, 1))
        n_columns = x.shape[2]
        xx = np.tensordot(x, x, ((0, 1), (0, 1)))
        ridge = self.shrinkage * np.trace(xx) / n_columns
        xx *= 1 - self.shrinkage
        xx.flat[:: n_columns + 1] += ridge
        xm = np.tensordot(x, shown, ((0, 1), (0, 1)))
        mm = np.tensordot(shown, shown, ((0, 1), (0, 1)))
        left, right = _whitening(xx), _whitening(mm)
        u, _, v = np.linalg.svd(left.T @ xm @ right, full_matrices=False)
        spatial, response = left @ u[:, 0], right @ v[0]
        return spatial, structure @ response

    def _temperature(self, trials: Aligned, structure: NDArray[np.float64]) -> float:
        """Return what the log-likelihoods are divided by, from trials that were left out."""
        fold_of = np.arange(len(trials.truths)) * _FOLDS // len(trials.truths)
        left_out = []
        for fold in range(_FOLDS):
            spatial, templates = self._fit(trials.part(fold_of != fold), structure)
            matching = _Matching(templates)
            for k in np.flatnonzero(fold_of == fold):
                y = trials.values[k] @ spatial
                ends = range(trials.block, len(y) + 1, trials.block)
                scores = np.array([matching(y[:end]) for end in ends])
                left_out.append((scores, int(trials.truths[k])))
        return fit_temperature(left_out)


def _runs(code: str, n_bits: int) -> list[tuple[int, int]]:
    """Return where each flash of a code that repeats begins, in bits, and how long it is."""
    bits = np.array([int(b) for b in code * (2 + n_bits // len(code))])
    edges = np.diff(bits, prepend=0)
    begins, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    return [(int(b), int(e - b)) for b, e in zip(begins, ends, strict=False) if b < n_bits]


def _embedded(values: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return each sample beside those before it: (n_trials, n, lags * n_channels)."""
    n_trials, n, n_channels = values.shape
    columns = np.zeros((n_trials, n, lags, n_channels))
    for lag in range(lags):
        columns[:, lag:, lag] = values[:, : n - lag]
    return columns.reshape(n_trials, n, -1)


def _whitening(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W with W' A W = 1; directions without variance are dropped."""
    values, vectors = np.linalg.eigh(products)
    kept = values > values[-1] * 1e-10
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]), np.float64)


class _Matching:
    """How well samples from the cue on follow each template."""

    def __init__(self, templates: NDArray[np.float64]) -> None:
        self._templates = np.ascontiguousarray(templates)
        counts = np.arange(1, templates.shape[1] + 1)
        spread = np.cumsum(templates**2, axis=1) - np.cumsum(templates, axis=1) ** 2 / counts
        self._norms = np.sqrt(np.maximum(spread, np.finfo(np.float64).tiny))

    def __call__(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        n = len(y)
        y = y - y.mean()
        norm = float(np.sqrt(y @ y))
        if not norm:
            return np.zeros(len(self._templates))
        return likeness(self._templates[:, :n] @ y / (self._norms[:, n - 1] * norm), n)


class _Running:
    def __init__(self, labels: tuple[str, ...], weights: Weights) -> None:
        self._labels = labels
        self._spatial = np.ascontiguousarray(weights["spatial"], np.float64)
        templates = np.asarray(weights["templates"], np.float64)
        self._matching = _Matching(templates)
        self._temperature = float(weights["temperature"][0])
        block = int(weights["block"][0])
        lags, n_channels = self._spatial.shape
        self._past = SinceCue(templates.shape[1], lags, block)
        self._shape = (block, n_channels)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        for row in chunk.values:
            self._past.add(row.reshape(self._shape) @ self._spatial.T)
        if not len(chunk) or moment.cue is None:
            return ()
        parts = self._past.since(moment.sample - moment.cue)
        if not len(parts):
            return ()
        y = parts[:, 0].copy()
        for lag in range(1, parts.shape[1]):
            y[lag:] += parts[:-lag, lag]
        scores = self._matching(y) / self._temperature
        return (Prediction(self._labels, softmax(scores.tolist())),)
