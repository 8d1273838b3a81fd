import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.boosting import Boosting
from tests.contract.trainings import Case, class_training


def by_library(recipe: Boosting, training: Training) -> NDArray[np.float64]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=recipe.rounds,
        learning_rate=recipe.learning_rate,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.min_leaf,
        class_weight="balanced",
        early_stopping=False,
    )
    return model.fit(training.features, training.targets).predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library)
    for k in (2, 3)
    for recipe in (Boosting(10), Boosting(5, 0.3, leaves=4, min_leaf=2))
]
