"""Ridge regression with history: a Wiener filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.output import Meaning
from decoders.rows.history import History, OfHistory, with_history
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["Ridge"]

_FOLDS = 5


@dataclass(frozen=True)
class Ridge:
    r"""Continuous values, linear in the last rows of the features: a Wiener filter.

    :math:`y_t = b + \sum_{k<h} W_k x_{t-k}`, with W minimising
    :math:`\sum |y - \hat y|^2 + \alpha |W|^2` (Carmena et al., PLoS Biol. 1, 2003; Hoerl &
    Kennard, Technometrics 12, 1970). The intercept is not penalised.

    Parameters
    ----------
    history
        Rows that count, h; 1: the newest alone. Output begins once they have been seen.
    alpha
        Strength of the penalty, relative to the mean variance of a feature times the number of
        rows. More than one: the one with the best R² in a blocked cross-validation within the
        training is taken.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    history: int = 1
    alpha: float | tuple[float, ...] = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0)
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        if self.history < 1:
            raise ValueError(f"history must be at least 1, not {self.history}")
        if not self._alphas or min(self._alphas) <= 0:
            raise ValueError(f"alpha must be positive, not {self.alpha}")

    @property
    def _alphas(self) -> tuple[float, ...]:
        alpha = self.alpha
        return (float(alpha),) if isinstance(alpha, int | float) else tuple(alpha)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        coef, intercept, alpha = self._fit(*with_history(training, self.history))
        return {"coef": coef, "intercept": intercept, "alpha": alpha}

    def tune(self, training: Training, weights: Weights) -> Weights:
        """Move `weights` towards what `training` says: the penalty is on how much they change."""
        check_width(training.features.shape[1] * self.history, weights["coef"].shape[1])
        x, y = with_history(training, self.history)
        coef = np.asarray(weights["coef"], np.float64)
        intercept = np.asarray(weights["intercept"], np.float64)
        change, shift, alpha = self._fit(x, y - x @ coef.T - intercept)
        return {"coef": coef + change, "intercept": intercept + shift, "alpha": alpha}

    def _fit(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights, the intercept, and the penalty."""
        if len(x) <= _FOLDS:
            raise Mismatch(
                f"{len(x)} rows with a history of {self.history} are too few to fit on; "
                "record more, or use a shorter history"
            )
        if not np.ptp(x, axis=0).any():
            raise Mismatch("no feature ever varies, so nothing follows from them")
        parts = [slice(*edges) for edges in pairwise(_edges(len(x)))]
        moments = [_Moments.of(x[part], y[part]) for part in parts]
        alpha = self._alphas[0]
        if len(self._alphas) > 1:
            alpha = _best(x, y, parts, moments, self._alphas)
        coef, intercept = _solve(_sum(moments), alpha)
        return coef, intercept, np.array([alpha])

    def blank(self, n_features: int, n_values: int) -> Weights:
        """Return weights that know nothing: they say 0 until something was learned."""
        coef = np.zeros((n_values, n_features * self.history))
        return {"coef": coef, "intercept": np.zeros(n_values)}

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels * self.history, weights["coef"].shape[1])
        history = History(self.history, signal.n_channels)
        return OfHistory(self.mode, labels, unit, history, _Linear(weights))


class _Linear:
    """Rows → values that are linear in them."""

    def __init__(self, weights: Weights) -> None:
        self._coef = np.ascontiguousarray(weights["coef"], np.float64)
        self._intercept = np.asarray(weights["intercept"], np.float64)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        values = self._coef @ rows
        values += self._intercept
        return values


@dataclass(frozen=True, slots=True)
class _Moments:
    """All that a linear fit needs to know of rows; of two sets of rows together: their sum."""

    n: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    @staticmethod
    def of(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Moments:
        return _Moments(len(x), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y)

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.n + other.n,
            self.x + other.x,
            self.y + other.y,
            self.xx + other.xx,
            self.xy + other.xy,
        )


def _sum(moments: Sequence[_Moments]) -> _Moments:
    return reduce(add, moments)


def _solve(m: _Moments, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights, (n_targets, n_features), and the intercept, (n_targets,)."""
    from scipy.linalg import cho_factor, cho_solve

    x, y = m.x / m.n, m.y / m.n
    xx = m.xx - m.n * np.outer(x, x)
    penalty = alpha * max(float(np.trace(xx)) / len(xx), np.finfo(np.float64).tiny)
    xx.flat[:: len(xx) + 1] += penalty
    # Symmetric, so the transpose is the same matrix in the order that LAPACK works on in place.
    factor = cho_factor(xx.T, overwrite_a=True, check_finite=False)
    coef = np.asarray(cho_solve(factor, m.xy - m.n * np.outer(x, y)).T, np.float64)
    return coef, y - coef @ x


def _edges(n: int) -> list[int]:
    return [round(n * i / _FOLDS) for i in range(_FOLDS + 1)]


def _best(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    parts: Sequence[slice],
    moments: Sequence[_Moments],
    alphas: Sequence[float],
) -> float:
    """Return the penalty with the best mean R² over blocks of consecutive rows left out."""
    scores = np.zeros(len(alphas))
    for i, part in enumerate(parts):
        rest = _sum([m for k, m in enumerate(moments) if k != i])
        for k, alpha in enumerate(alphas):
            coef, intercept = _solve(rest, alpha)
            scores[k] += _r2(y[part], x[part] @ coef.T + intercept)
    return alphas[int(scores.argmax())]


def _r2(y: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    left = ((y - said) ** 2).sum(axis=0)
    return float(np.mean(1 - left / np.maximum(total, np.finfo(np.float64).tiny)))
