"""Multi-layer perceptron for classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.classification import Classification
from decoders.classifying.linear import check_classes, check_width, softmax
from decoders.decoder import Decoding, Training, Weights
from decoders.numerics.layers import Activation, Layers, check_shape, fit_layers, layer_weights
from devices.signal import Signal

__all__ = ["Mlp"]


@dataclass(frozen=True)
class Mlp:
    r"""Which class is it, by layers of units between the features and the classes.

    :math:`h_1 = f(W_1 x + b_1), \dots`, and the softmax of the last layer (Rumelhart, Hinton &
    Williams, Nature 323, 1986), on standardised features; fitted by scikit-learn with Adam for a
    fixed number of epochs. With few trials take few units and a large `alpha`.

    Parameters
    ----------
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
    """

    task: ClassVar[Literal["classes"]] = "classes"

    hidden: tuple[int, ...] = (32,)
    activation: Activation = "relu"
    alpha: float = 1.0
    epochs: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_shape(self.hidden, self.activation, self.alpha, self.epochs)

    def fit(self, training: Training) -> Weights:
        """Fit to `training`."""
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        check_classes(training)
        scaler = StandardScaler().fit(training.features)
        model = MLPClassifier(
            hidden_layer_sizes=tuple(self.hidden),
            activation=self.activation,
            alpha=self.alpha,
            max_iter=self.epochs,
            n_iter_no_change=self.epochs,
            random_state=self.seed,
        )
        fit_layers(model, scaler.transform(training.features), training.targets)
        return layer_weights(model, scaler.mean_, scaler.scale_)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        check_width(signal.n_channels, weights["weight_0"].shape[1])
        return Classification(labels, _Softmax(Layers(weights, self.activation)))


class _Softmax:
    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def __call__(self, row: NDArray[np.float64]) -> Sequence[float]:
        scores: list[float] = self._layers(row).tolist()
        # Two classes have one score, the log-odds of the second.
        return softmax(scores if len(scores) > 1 else [0.0, *scores])
