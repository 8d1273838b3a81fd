"""Multi-layer perceptrons, as scikit-learn fits them, without it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights

__all__ = ["Activation", "Layers", "check_shape", "fit_layers", "layer_weights"]

Activation = Literal["relu", "tanh"]


def fit_layers(model: Any, rows: NDArray[np.float64], targets: NDArray[Any]) -> Any:
    """Fit a scikit-learn multi-layer perceptron for as many epochs as it is to have."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # The number of epochs is the recipe's; that more would change the weights is no news.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, targets)


def layer_weights(
    model: Any, mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return ``weight_0``, (n_out, n_in), ``bias_0``, (n_out,), ``weight_1`` … of a fitted model.

    Parameters
    ----------
    model
        A fitted scikit-learn multi-layer perceptron.
    mean, scale
        What the features were standardised by; they are folded into the first layer.
    """
    weights = [np.asarray(w, np.float64).T for w in model.coefs_]
    biases = [np.asarray(b, np.float64) for b in model.intercepts_]
    weights[0] = weights[0] / scale
    biases[0] = biases[0] - weights[0] @ mean
    named = {}
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        named[f"weight_{i}"], named[f"bias_{i}"] = np.ascontiguousarray(weight), bias
    return named


class Layers:
    """One row of features → what the last layer says, before any softmax.

    Parameters
    ----------
    weights
        What `layer_weights` returned.
    activation
        Between the layers.
    """

    def __init__(self, weights: Weights, activation: Activation) -> None:
        n = sum(name.startswith("weight_") for name in weights)
        self._weights = [np.ascontiguousarray(weights[f"weight_{i}"], np.float64) for i in range(n)]
        self._biases = [np.asarray(weights[f"bias_{i}"], np.float64) for i in range(n)]
        self._activate = _ACTIVATE[activation]

    def __call__(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n_out,) numbers."""
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            row = weight @ row
            row += bias
            self._activate(row)
        return np.asarray(self._weights[-1] @ row + self._biases[-1], np.float64)


def _relu(x: NDArray[np.float64]) -> None:
    np.maximum(x, 0.0, out=x)


def _tanh(x: NDArray[np.float64]) -> None:
    np.tanh(x, out=x)


_ACTIVATE: dict[str, Callable[[NDArray[np.float64]], None]] = {"relu": _relu, "tanh": _tanh}


def check_shape(hidden: Sequence[int], activation: str, alpha: float, epochs: int) -> None:
    """Refuse parameters that no perceptron can be made of.

    Raises
    ------
    ValueError
        Says which.
    """
    if activation not in _ACTIVATE:
        raise ValueError(f"activation must be one of {', '.join(_ACTIVATE)}, not {activation!r}")
    if not hidden or min(hidden) < 1 or not alpha >= 0 or epochs < 1:
        raise ValueError(
            "a multi-layer perceptron needs a hidden layer or more, each of a unit or more, alpha "
            f">= 0 and epochs >= 1; it has hidden = {list(hidden)}, alpha = {alpha}, epochs = "
            f"{epochs}"
        )
