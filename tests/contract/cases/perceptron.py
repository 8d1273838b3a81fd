import warnings

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.platt import splits
from decoders.decoder import Training
from decoders.models.perceptron import Perceptron
from tests.contract.trainings import Case, class_training


def by_library(recipe: Perceptron, training: Training) -> NDArray[np.float64]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Perceptron as Library
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    machine = Library(
        penalty="l2" if recipe.alpha else None,
        alpha=recipe.alpha or 1.0,
        max_iter=recipe.epochs,
        class_weight="balanced",
        random_state=recipe.seed,
    )
    model = CalibratedClassifierCV(
        make_pipeline(StandardScaler(), machine), cv=splits(training), ensemble=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(training.features, training.targets)
    return model.predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library)
    for k, recipe in ((2, Perceptron()), (3, Perceptron(alpha=1e-3, seed=5)))
]
