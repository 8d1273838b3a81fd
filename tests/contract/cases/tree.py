import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.tree import Tree
from tests.contract.trainings import Case, class_training


def by_library(recipe: Tree, training: Training) -> NDArray[np.float64]:
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(
        max_depth=recipe.max_depth or None,
        min_samples_leaf=recipe.min_leaf,
        class_weight="balanced",
        random_state=0,
    )
    return model.fit(training.features, training.targets).predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library) for k in (2, 3) for recipe in (Tree(), Tree(0, 1))
]
