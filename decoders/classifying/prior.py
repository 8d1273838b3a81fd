"""Linear classifiers that begin from the weights of another, and move where rows say so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights
from decoders.stage import Mismatch

__all__ = ["towards"]


def towards(
    weights: Weights, rows: NDArray[np.float64], targets: NDArray[np.int64], c: float
) -> Weights:
    r"""Return softmax weights that suit new rows, and stay near to those that were.

    Minimises :math:`C \sum_i s_i \ell_i(W) + \tfrac12 \|(W - W_0) S\|^2`, the regularised
    regression of `logistic` with the old weights :math:`W_0` in the place of zero; :math:`\ell` is
    the cross-entropy, :math:`s_i` makes all classes count the same, S are the new rows' deviations
    (Chelba & Acero, "Adaptation of maximum entropy capitalizer: little data can help a lot",
    Comput. Speech Lang. 20, 2006).
    With no row it is what was; with many, what they say.

    Parameters
    ----------
    weights
        ``coef``, (n_classes, n_features), and ``intercept``, (n_classes,).
    rows, targets
        (n, n_features), and (n,) classes.
    c
        How much the rows count against what was.

    Raises
    ------
    Mismatch
        There is no row.
    """
    from scipy.optimize import minimize

    if not len(rows):
        raise Mismatch("there is no row to tune to; record a trial")
    coef = np.asarray(weights["coef"], np.float64)
    intercept = np.asarray(weights["intercept"], np.float64)
    k, p = coef.shape
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale == 0] = 1.0
    x = (rows - mean) / scale
    said = rows @ coef.T + intercept
    meant = np.eye(k)[targets]
    counts = meant.sum(axis=0)
    share = (len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[targets]

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        change, shift = flat[: k * p].reshape(k, p), flat[k * p :]
        scores = said + x @ change.T + shift
        scores -= scores.max(axis=1, keepdims=True)
        total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        wrong = (np.exp(scores - total) - meant) * share[:, np.newaxis]
        loss = float((share * (total[:, 0] - (scores * meant).sum(axis=1))).sum())
        gradient = np.concatenate([(c * wrong.T @ x + change).ravel(), c * wrong.sum(axis=0)])
        return c * loss + 0.5 * float((change**2).sum()), gradient

    found = minimize(
        cost, np.zeros(k * p + k), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    )
    change = found.x[: k * p].reshape(k, p) / scale
    return {
        **weights,
        "coef": coef + change,
        "intercept": intercept + found.x[k * p :] - change @ mean,
    }
