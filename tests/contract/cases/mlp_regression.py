import warnings

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.mlp_regression import MlpRegression
from tests.contract.trainings import Case, continuous_training, stacked


def by_library(recipe: MlpRegression, training: Training) -> NDArray[np.float64]:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        hidden_layer_sizes=recipe.hidden,
        activation=recipe.activation,
        alpha=recipe.alpha,
        max_iter=recipe.epochs,
        n_iter_no_change=recipe.epochs,
        random_state=recipe.seed,
    )
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), network), transformer=StandardScaler()
    )
    rows, values = stacked(training, recipe.history)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, values).predict(rows)


CASES = [
    Case(recipe, continuous_training(), by_library)
    for recipe in (MlpRegression(hidden=(8,)), MlpRegression(3, (6, 4), "tanh", seed=1))
]
