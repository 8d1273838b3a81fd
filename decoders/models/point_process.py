"""Point-process filter: continuous values from counts of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.numerics.poisson_regression import poisson_regression
from decoders.numerics.state_space import lagged, least_squares, pairs
from decoders.output import Meaning, Output, continuous
from decoders.rows.counts import check_counts
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal

__all__ = ["PointProcess"]

_FEWEST_ROWS = 20
_FEWEST_SPIKES = 5
_SILENT = -50.0


@dataclass(frozen=True)
class PointProcess:
    r"""Continuous values that move as in training, seen through counts that they make likely.

    .. math:: x_t = A x_{t-1} + w, \quad w \sim N(0, W), \qquad
        n_{it} \sim \mathrm{Poisson}(\exp(b_i + \beta_i^T x_t))

    with x the standardised values; each unit's :math:`b_i, \beta_i` are a Poisson regression
    (Truccolo et al., J. Neurophysiol. 93, 2005). Each row is filtered by the Gaussian
    approximation of Eden et al., "Dynamic analysis of neural encoding by point process adaptive
    filtering", Neural Comput. 16, 2004 (eqs. 2.7 to 2.10; Brown et al., J. Neurosci. 18, 1998, for
    position):

    .. math:: P^{-1} = (A P A^T + W)^{-1} + \tfrac1\varphi \sum_i \lambda_i \beta_i \beta_i^T,
        \qquad x = A x + \tfrac1\varphi P \sum_i \beta_i (n_i - \lambda_i)

    There, :math:`\varphi = 1`: units that vary as Poisson's and independently. Real ones vary more,
    and together, so that a filter of many units believes the counts too much; φ is then how many
    times more the sum :math:`s = \sum_i \beta_i (n_i - \lambda_i)` varied in training than that
    says, as in quasi-likelihood (McCullagh, Ann. Stat. 11, 1983):
    :math:`\varphi = \mathrm{tr}(J^{-1} \mathrm{cov}(s)) / d`, J the mean of
    :math:`\sum_i \lambda_i \beta_i \beta_i^T`.

    Velocities take their length along, the speed, as one more value: rates rise with it (Moran &
    Schwartz, J. Neurophysiol. 82, 1999), and a filter without it takes that for a direction.

    The estimate is kept within twice the range of the training. Units with fewer than five spikes
    say nothing. Wants counts: whole or smoothed, never below 0.

    Parameters
    ----------
    lag
        Rows by which the features run ahead of the values.
    alpha
        Strength of the L2 penalty on β.
    dispersion
        φ; 0: as it was in training.
    with_speed
        Whether velocities take their length along; other modes never do.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    lag: int = 0
    alpha: float = 1e-3
    dispersion: float = 0.0
    with_speed: bool = True
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        if self.lag < 0 or not self.alpha > 0 or not self.dispersion >= 0:
            raise ValueError(
                f"point_process needs lag >= 0, alpha > 0 and dispersion >= 0; it has lag = "
                f"{self.lag}, alpha = {self.alpha}, dispersion = {self.dispersion}"
            )

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        values, counts = lagged(training, self.lag)
        if len(counts) < _FEWEST_ROWS:
            raise Mismatch(
                f"{len(counts)} rows are too few to fit on; at least {_FEWEST_ROWS} are needed"
            )
        check_counts(training)
        if self.with_speed and self.mode == "velocity":
            values = np.hstack([values, np.linalg.norm(values, axis=1, keepdims=True)])
        mean, scale = values.mean(axis=0), values.std(axis=0)
        if not scale.all():
            raise Mismatch("a value of the training never changes; leave it out of the target")
        x = (values - mean) / scale
        before, after = pairs(x, training, self.lag)
        moves = least_squares(before, after)
        moved = after - before @ moves.T
        return {
            **_tuning(self, x, counts),
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


def _tuning(
    recipe: PointProcess, x: NDArray[np.float64], counts: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return each unit's rate, and how much more they vary than Poisson's."""
    baseline = np.full(counts.shape[1], _SILENT)
    slopes = np.zeros((counts.shape[1], x.shape[1]))
    heard = counts.sum(axis=0) >= _FEWEST_SPIKES
    if not heard.any():
        raise Mismatch(f"no unit has {_FEWEST_SPIKES} spikes; nothing follows from them")
    baseline[heard], slopes[heard] = poisson_regression(x, counts[:, heard], recipe.alpha)
    dispersion = recipe.dispersion or _dispersion(x, counts, baseline, slopes)
    return {
        "baseline": baseline,
        "slopes": slopes,
        "ceiling": np.log([10 * counts.max()]),
        "dispersion": np.array([dispersion]),
    }


def _dispersion(
    x: NDArray[np.float64],
    counts: NDArray[np.float64],
    baseline: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> float:
    rates = np.exp(x @ slopes.T + baseline)
    scores = (counts - rates) @ slopes
    expected = (slopes.T * rates.mean(axis=0)) @ slopes
    times = np.linalg.lstsq(expected, scores.T @ scores / len(scores), rcond=None)[0]
    return max(float(np.trace(times)) / len(times), np.finfo(np.float64).eps)


class _Running:
    def __init__(self, mode: Meaning, labels: tuple[str, ...], unit: str, weights: Weights) -> None:
        self._mode, self._labels, self._unit = mode, labels, unit
        arrays = {k: np.ascontiguousarray(v, np.float64) for k, v in weights.items()}
        self._moves, self._spread = arrays["moves"], arrays["spread"]
        self._baseline, self._slopes = arrays["baseline"], arrays["slopes"]
        self._slopes_t = np.ascontiguousarray(self._slopes.T)
        self._ceiling = float(arrays["ceiling"][0])
        self._weight = 1 / float(arrays["dispersion"][0])
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
        values = (self._state * self._scale + self._mean).tolist()
        said = tuple(values[: len(self._labels)])
        return (continuous(self._mode, self._labels, said, self._unit),)

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
        information *= self._weight
        # (unsure⁻¹ + information)⁻¹ without inverting `unsure`, which may be singular.
        self._unsure = np.asarray(
            np.linalg.solve(self._eye + unsure @ information, unsure), np.float64
        )
        push = self._slopes_t @ (counts - rates)
        push *= self._weight
        state = ahead + self._unsure @ push
        np.maximum(state, self._lowest, out=state)
        self._state = np.minimum(state, self._highest, out=state)
