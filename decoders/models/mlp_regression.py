"""Multi-layer perceptron for continuous values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_width
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.layers import Activation, Layers, check_shape, fit_layers, layer_weights
from decoders.output import Meaning
from decoders.rows.history import History, OfHistory, with_history
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["MlpRegression"]

_FEWEST_ROWS = 10


@dataclass(frozen=True)
class MlpRegression:
    r"""Continuous values, by layers of units between the last rows of the features and them.

    :math:`h_1 = f(W_1 x + b_1), \dots, y = W_n h_{n-1} + b_n`, with x the last h rows (Rumelhart,
    Hinton & Williams, Nature 323, 1986; for spikes: Glaser et al., "Machine learning for neural
    decoding", eNeuro 7, 2020). Features and values are standardised; fitted by scikit-learn with
    Adam for a fixed number of epochs.

    Parameters
    ----------
    history
        Rows that count, h; 1: the newest alone. Output begins once they have been seen.
    hidden
        Units of each hidden layer.
    activation
        f: ``"relu"`` or ``"tanh"``.
    alpha
        Strength of the L2 penalty.
    epochs
        Passes over the training.
    seed
        Of the first weights and of the order of the rows.
    mode
        What the values are: the mode of the command.
    """

    task: ClassVar[Literal["continuous"]] = "continuous"

    history: int = 1
    hidden: tuple[int, ...] = (64,)
    activation: Activation = "relu"
    alpha: float = 1.0
    epochs: int = 10
    seed: int = 0
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        if self.history < 1:
            raise ValueError(f"history must be at least 1, not {self.history}")
        check_shape(self.hidden, self.activation, self.alpha, self.epochs)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.neural_network import MLPRegressor
        from sklearn.preprocessing import StandardScaler

        x, y = with_history(training, self.history)
        if len(x) < _FEWEST_ROWS:
            raise Mismatch(
                f"{len(x)} rows with a history of {self.history} are too few to fit on; "
                "record more, or use a shorter history"
            )
        features, values = StandardScaler().fit(x), StandardScaler().fit(y)
        model = MLPRegressor(
            hidden_layer_sizes=tuple(self.hidden),
            activation=self.activation,
            alpha=self.alpha,
            max_iter=self.epochs,
            n_iter_no_change=self.epochs,
            random_state=self.seed,
        )
        wanted = values.transform(y)
        fit_layers(model, features.transform(x), wanted[:, 0] if wanted.shape[1] == 1 else wanted)
        return {
            **layer_weights(model, features.mean_, features.scale_),
            "mean": np.asarray(values.mean_, np.float64),
            "scale": np.asarray(values.scale_, np.float64),
        }

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels * self.history, weights["weight_0"].shape[1])
        history = History(self.history, signal.n_channels)
        return OfHistory(self.mode, labels, unit, history, _Network(weights, self.activation))


class _Network:
    """Rows → what the layers make of them."""

    def __init__(self, weights: Weights, activation: Activation) -> None:
        self._layers = Layers(weights, activation)
        self._mean = np.asarray(weights["mean"], np.float64)
        self._scale = np.asarray(weights["scale"], np.float64)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._layers(rows) * self._scale + self._mean
