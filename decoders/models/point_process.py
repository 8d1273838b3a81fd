"""Point-process filter: continuous values from counts of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.counts import check_counts
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.linear import check_width
from decoders.output import Command, Mode, Output
from decoders.stage import Mismatch
from decoders.state_space import lagged, least_squares, pairs
from devices.signal import Chunk, Signal

__all__ = ["PointProcess"]

_FEWEST_ROWS = 20
_SILENT = -50.0


@dataclass(frozen=True)
class PointProcess:
    r"""Continuous values that move as in training, seen through counts that they make likely.

    .. math:: x_t = A x_{t-1} + w, \quad w \sim N(0, W), \qquad
        n_{it} \sim \mathrm{Poisson}(\exp(b_i + \beta_i^T x_t))

    with x the standardised values; each unit's :math:`b_i, \beta_i` are a Poisson regression
    (Truccolo et al., J. Neurophysiol. 93, 2005), fitted by scikit-learn. Each row is filtered by
    the Gaussian approximation of Eden et al., "Dynamic analysis of neural encoding by point
    process adaptive filtering", Neural Comput. 16, 2004 (eqs. 2.7 to 2.10; Brown et al., J.
    Neurosci. 18, 1998, for position):

    .. math:: P^{-1} = (A P A^T + W)^{-1} + \sum_i \lambda_i \beta_i \beta_i^T, \qquad
        x = A x + P \sum_i \beta_i (n_i - \lambda_i)

    The estimate is kept within twice the range of the training. Wants counts: whole or smoothed,
    never below 0.

    Parameters
    ----------
    lag
        Rows by which the features run ahead of the values.
    alpha
        Strength of the L2 penalty on β.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    lag: int = 0
    alpha: float = 1e-3
    mode: Mode = "velocity"

    def __post_init__(self) -> None:
        if self.lag < 0 or not self.alpha >= 0:
            raise ValueError(
                f"point_process needs lag >= 0 and alpha >= 0; it has lag = {self.lag}, "
                f"alpha = {self.alpha}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        values, counts = lagged(training, self.lag)
        if len(counts) < _FEWEST_ROWS:
            raise Mismatch(
                f"{len(counts)} rows are too few to fit on; at least {_FEWEST_ROWS} are needed"
            )
        check_counts(training)
        mean, scale = values.mean(axis=0), values.std(axis=0)
        if not scale.all():
            raise Mismatch("a value of the training never changes; leave it out of the target")
        x = (values - mean) / scale
        before, after = pairs(x, training, self.lag)
        moves = least_squares(before, after)
        moved = after - before @ moves.T
        return {
            **_tuning(x, counts, self.alpha),
            "moves": moves,
            "spread": moved.T @ moved / len(moved),
            "start_spread": x.T @ x / len(x),
            "lowest": 2 * x.min(axis=0),
            "highest": 2 * x.max(axis=0),
            "mean": mean,
            "scale": scale,
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run, at the mean of the training and as unsure as its variance."""
        check_width(signal.n_channels, len(weights["baseline"]))
        return _Running(self.mode, labels, unit, weights)


def _tuning(x: NDArray[np.float64], counts: NDArray[np.float64], alpha: float) -> Weights:
    """Fit each unit's rate; one that is silent says nothing."""
    from sklearn.linear_model import PoissonRegressor

    baseline = np.full(counts.shape[1], _SILENT)
    slopes = np.zeros((counts.shape[1], x.shape[1]))
    for i in np.flatnonzero(counts.any(axis=0)):
        unit = PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-8, max_iter=200)
        unit.fit(x, counts[:, i])
        baseline[i], slopes[i] = unit.intercept_, unit.coef_
    ceiling = np.log(10 * max(counts.max(), np.finfo(np.float64).tiny))
    return {"baseline": baseline, "slopes": slopes, "ceiling": np.array([ceiling])}


class _Running:
    def __init__(self, mode: Mode, labels: tuple[str, ...], unit: str, weights: Weights) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        arrays = {k: np.ascontiguousarray(v, np.float64) for k, v in weights.items()}
        self._moves, self._spread = arrays["moves"], arrays["spread"]
        self._baseline, self._slopes = arrays["baseline"], arrays["slopes"]
        self._slopes_t = np.ascontiguousarray(self._slopes.T)
        self._ceiling = float(arrays["ceiling"][0])
        self._lowest, self._highest = arrays["lowest"], arrays["highest"]
        self._mean, self._scale = arrays["mean"], arrays["scale"]
        self._eye = np.eye(len(self._moves))
        self._state = np.zeros(len(self._moves))
        self._unsure = arrays["start_spread"]
        self._rates = np.empty(len(self._baseline))
        self._weighed = np.empty_like(self._slopes_t)

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        for row in chunk.values:
            self._step(row)
        values = tuple((self._state * self._scale + self._mean).tolist())
        return (Command(self._mode, self._labels, values, self._unit),)

    def _step(self, counts: NDArray[np.floating]) -> None:
        ahead = self._moves @ self._state
        unsure = self._moves @ self._unsure @ self._moves.T
        unsure += self._spread
        rates = self._rates
        np.matmul(self._slopes, ahead, out=rates)
        rates += self._baseline
        np.minimum(rates, self._ceiling, out=rates)  # far out, an exponential has no bounds
        np.exp(rates, out=rates)
        np.multiply(self._slopes_t, rates, out=self._weighed)
        information = self._weighed @ self._slopes
        # (unsure⁻¹ + information)⁻¹ without inverting `unsure`, which may be singular.
        self._unsure = np.asarray(
            np.linalg.solve(self._eye + unsure @ information, unsure), np.float64
        )
        state = ahead + self._unsure @ (self._slopes_t @ (counts - rates))
        np.maximum(state, self._lowest, out=state)
        self._state = np.minimum(state, self._highest, out=state)
