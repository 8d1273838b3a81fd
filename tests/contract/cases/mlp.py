import warnings

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.mlp import Mlp
from tests.contract.trainings import Case, class_training


def by_library(recipe: Mlp, training: Training) -> NDArray[np.float64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier(
        hidden_layer_sizes=recipe.hidden,
        activation=recipe.activation,
        alpha=recipe.alpha,
        max_iter=recipe.epochs,
        n_iter_no_change=recipe.epochs,
        random_state=recipe.seed,
    )
    model = make_pipeline(StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(training.features, training.targets)
    return model.predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library)
    for k, recipe in ((2, Mlp((8,), epochs=10)), (3, Mlp((8, 5), "tanh", 1e-3, epochs=10, seed=2)))
]
