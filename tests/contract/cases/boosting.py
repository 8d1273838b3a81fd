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
        early_stopping=False,
    )
    said = model.fit(training.features, training.targets).predict_proba(training.features)
    said /= np.bincount(training.targets)
    return said / said.sum(axis=1, keepdims=True)


def uneven(n_classes: int) -> Training:
    """Return trials of which the first class has three fifths fewer."""
    t = class_training(n_classes)
    kept = (t.targets > 0) | (t.groups % 5 < 2)
    return Training(t.signal, t.features[kept], t.targets[kept], t.groups[kept], t.labels)


CASES = [
    Case(recipe, uneven(k), by_library)
    for k in (2, 3)
    for recipe in (Boosting(10, min_leaf=5), Boosting(5, 0.3, leaves=4, min_leaf=2))
]
