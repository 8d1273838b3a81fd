"""Poisson regression of many units on the same few values, all units at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["poisson_regression"]

_MOST_STEPS = 100
_SETTLED = 1e-10
_LARGEST_LOG_RATE = 30.0


def poisson_regression(
    x: NDArray[np.float64], counts: NDArray[np.float64], alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the intercepts, (n_units,), and the slopes, (n_units, n_values), of log rates.

    Minimises :math:`\frac1n \sum_t \lambda_t - n_t \ln \lambda_t + \frac{\alpha}{2} |\beta|^2`,
    :math:`\ln \lambda_t = b + \beta^T x_t`, for each unit, as scikit-learn's ``PoissonRegressor``
    does, by Newton's steps, halved where they would go uphill (McCullagh & Nelder, "Generalized
    linear models", 1989).

    Parameters
    ----------
    x
        (n_rows, n_values), standardised.
    counts
        (n_rows, n_units), each unit with some above 0.
    alpha
        Strength of the penalty on β.
    """
    n, d = x.shape
    one = np.hstack([np.ones((n, 1)), x])
    products = (one[:, :, np.newaxis] * one[:, np.newaxis, :]).reshape(n, -1)
    penalty = np.full(d + 1, alpha)
    penalty[0] = 0.0
    wanted = counts.T @ one / n
    w = np.zeros((counts.shape[1], d + 1))
    w[:, 0] = np.log(counts.mean(axis=0))
    rates, loss = _rates_and_loss(one, w, wanted, penalty)
    for _ in range(_MOST_STEPS):
        slope = rates.T @ one / n - wanted + penalty * w
        curve = (rates.T @ products / n).reshape(-1, d + 1, d + 1) + np.diag(penalty)
        step = np.linalg.solve(curve, slope[:, :, np.newaxis])[:, :, 0]
        length = np.ones(len(w))
        while True:
            new_rates, new_loss = _rates_and_loss(
                one, w - length[:, np.newaxis] * step, wanted, penalty
            )
            uphill = new_loss > loss + 1e-12 * np.abs(loss)
            if not uphill.any() or length.min() < 1e-6:
                break
            length[uphill] /= 2
        w = w - length[:, np.newaxis] * step
        rates, loss = new_rates, new_loss
        if np.abs(step).max() < _SETTLED:
            break
    return w[:, 0], w[:, 1:]


def _rates_and_loss(
    one: NDArray[np.float64],
    w: NDArray[np.float64],
    wanted: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rates = np.exp(np.minimum(one @ w.T, _LARGEST_LOG_RATE))
    loss = rates.mean(axis=0) - (wanted * w).sum(axis=1) + 0.5 * (penalty * w**2).sum(axis=1)
    return rates, loss
