r"""Probabilities that mean what they say: maps fitted on trials that were left out of the fit.

Of what a decoder says with probability 0.8, eight tenths shall be right. Each map is fitted on
what the decoder said, in cross-validation, of trials that it was not fitted on:

temperature
    :math:`p_k \propto p_k^{1/T}` (Guo et al., "On calibration of modern neural networks", ICML
    2017).
platt
    :math:`p_k \propto e^{b_k} p_k^a`; for two classes Platt's sigmoid of the log-odds (Platt,
    "Probabilistic outputs for support vector machines", 1999).
isotonic
    each class's probability becomes the nearest non-decreasing function of it, then all are
    divided by their sum (Zadrozny & Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", KDD 2002). Wants many trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoding, Moment
from decoders.output import Output, Prediction
from devices.signal import Chunk

__all__ = ["Calibrated", "Method", "Probabilities", "fit_map", "map_of"]

Method = Literal["temperature", "platt", "isotonic"]

_PREFIX = "probabilities."
_FLOOR = 1e-12
_STEPS = 200
_SETTLED = 1e-10
_RIDGE = 1e-3
"""Of each left-out trial, so much speaks for leaving the probabilities as they are."""


@dataclass(frozen=True)
class Probabilities:
    """The ``[probabilities]`` section of the session file.

    Parameters
    ----------
    method
        How probabilities are calibrated: ``"temperature"``, ``"platt"`` or ``"isotonic"``.
    """

    method: Method = "temperature"


def fit_map(
    method: Method,
    said: NDArray[np.float64],
    truths: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Fit a map from what was said to how often it was right.

    Parameters
    ----------
    method
        Which.
    said
        (n, n_classes) probabilities.
    truths
        (n,) index of the true class.
    weights
        (n,) how much each row counts; the rows of one trial together count as one.

    Returns
    -------
    What a model keeps, and `map_of` reads.
    """
    if method == "isotonic":
        fitted = _fit_isotonic(said, truths, weights)
    else:
        fitted = _fit_scaling(said, truths, weights, method == "platt")
    return {f"{_PREFIX}{name}": array for name, array in fitted.items()}


def map_of(weights: Mapping[str, NDArray[np.generic]]) -> Scaling | Isotonic | None:
    """Return the map that a model keeps; None if it was fitted without."""
    kept = {
        name.removeprefix(_PREFIX): np.asarray(array, np.float64)
        for name, array in weights.items()
        if name.startswith(_PREFIX)
    }
    if not kept:
        return None
    return Scaling(**kept) if "slope" in kept else Isotonic(**kept)


class Scaling:
    """Probabilities to a power, times a factor for each class.

    Parameters
    ----------
    slope
        (1,): the power.
    offset
        (n_classes,): logarithms of the factors.
    """

    def __init__(self, slope: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        self._slope = float(slope[0])
        self._offset = offset.tolist()

    def __call__(self, probabilities: Sequence[float]) -> tuple[float, ...]:
        """Return what the probabilities should have been."""
        scores = [
            self._slope * math.log(max(p, _FLOOR)) + offset
            for p, offset in zip(probabilities, self._offset, strict=True)
        ]
        highest = max(scores)
        powers = [math.exp(score - highest) for score in scores]
        total = math.fsum(powers)
        return tuple(power / total for power in powers)


class Isotonic:
    """A non-decreasing function of each class's probability.

    Parameters
    ----------
    inputs, outputs
        (n_classes, n_knots): where the functions are known; linear between.
    """

    def __init__(self, inputs: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        self._knots = list(zip(inputs, outputs, strict=True))

    def __call__(self, probabilities: Sequence[float]) -> tuple[float, ...]:
        """Return what the probabilities should have been."""
        mapped = [
            max(float(np.interp(p, x, y)), _FLOOR)
            for p, (x, y) in zip(probabilities, self._knots, strict=True)
        ]
        total = math.fsum(mapped)
        return tuple(p / total for p in mapped)


class Calibrated:
    """A decoding whose predictions go through a map."""

    def __init__(self, decoding: Decoding, mapped: Scaling | Isotonic) -> None:
        self._decoding = decoding
        self._mapped = mapped

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the decoding says, its probabilities mapped."""
        return [
            replace(output, probabilities=self._mapped(output.probabilities))
            if isinstance(output, Prediction)
            else output
            for output in self._decoding(chunk, moment)
        ]


def _fit_scaling(
    said: NDArray[np.float64],
    truths: NDArray[np.int64],
    weights: NDArray[np.float64],
    has_offsets: bool,
) -> dict[str, NDArray[np.float64]]:
    """Minimise the mean of -ln p of what was true, by Newton's method; it has one minimum."""
    logs = np.log(np.maximum(said, _FLOOR))
    k = said.shape[1]
    # Columns of the design: the slope's, then one a class but the first.
    n_free = k if has_offsets else 1
    design = np.zeros((*said.shape, n_free))
    design[:, :, 0] = logs
    if has_offsets:
        design[:, np.arange(1, k), np.arange(1, k)] = 1.0
    start = np.zeros(n_free)
    start[0] = 1.0
    theta, hot = start.copy(), np.eye(k)[truths]
    for _ in range(_STEPS):
        p = _softmax(design @ theta)
        slope = np.einsum("n,nk,nkf->f", weights, p - hot, design) + _RIDGE * (theta - start)
        mean = np.einsum("nk,nkf->nf", p, design)
        curvature = np.einsum("n,nk,nkf,nkg->fg", weights, p, design, design)
        curvature -= np.einsum("n,nf,ng->fg", weights, mean, mean)
        curvature.flat[:: n_free + 1] += _RIDGE
        step = np.linalg.solve(curvature, slope)
        # Far from the minimum Newton's step may overshoot.
        theta = theta - step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _SETTLED:
            break
    # Less sure than said, or surer; never the other way round.
    offset = np.concatenate([[0.0], theta[1:]]) if has_offsets else np.zeros(k)
    return {"slope": np.maximum(theta[:1], _FLOOR), "offset": offset}


def _fit_isotonic(
    said: NDArray[np.float64], truths: NDArray[np.int64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    knots = [
        _pool(said[:, k], (truths == k).astype(np.float64), weights) for k in range(said.shape[1])
    ]
    n = max(len(x) for x, _ in knots)
    padded = [[np.pad(part, (0, n - len(part)), mode="edge") for part in pair] for pair in knots]
    both: NDArray[Any] = np.array(padded)
    return {"inputs": both[:, 0].copy(), "outputs": both[:, 1].copy()}


def _pool(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the knots of the isotonic regression of y on x (pool adjacent violators)."""
    order = np.argsort(x, kind="stable")
    values: list[float] = []
    masses: list[float] = []
    spans: list[tuple[float, float]] = []
    for at in order:
        values.append(float(y[at]))
        masses.append(float(weights[at]))
        spans.append((float(x[at]), float(x[at])))
        while len(values) > 1 and (values[-2] >= values[-1] or spans[-2][1] == spans[-1][0]):
            value, mass, span = values.pop(), masses.pop(), spans.pop()
            total = masses[-1] + mass
            values[-1] = (values[-1] * masses[-1] + value * mass) / total
            masses[-1], spans[-1] = total, (spans[-1][0], span[1])
    # One trial more, of no class: no share of a few trials is 0 or 1.
    share = float(np.average(y, weights=weights))
    smoothed = [(v * m + share) / (m + 1.0) for v, m in zip(values, masses, strict=True)]
    outputs = np.maximum.accumulate(np.repeat(smoothed, 2))
    return np.array(spans).ravel(), outputs


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
