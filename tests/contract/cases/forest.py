import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.forest import Forest
from tests.contract.trainings import Case, class_training


def by_library(recipe: Forest, training: Training) -> NDArray[np.float64]:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    random = recipe.thresholds == "random"
    model = (ExtraTreesClassifier if random else RandomForestClassifier)(
        n_estimators=recipe.trees,
        min_samples_leaf=recipe.min_leaf,
        class_weight="balanced",
        random_state=recipe.seed,
    )
    return model.fit(training.features, training.targets).predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library)
    for k in (2, 3)
    for recipe in (Forest(20), Forest(20, "random", min_leaf=1, seed=3))
]
