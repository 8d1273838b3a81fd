from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.platt import splits
from decoders.decoder import Training
from decoders.models.svm import Svm
from tests.contract.trainings import Case, class_training


def by_library(recipe: Svm, training: Training) -> NDArray[np.float64]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, LinearSVC

    machine: Any = LinearSVC(C=recipe.c, class_weight="balanced", random_state=0, max_iter=5000)
    if recipe.kernel == "rbf":
        gamma = recipe.gamma or "auto"
        machine = OneVsRestClassifier(SVC(C=recipe.c, gamma=gamma, class_weight="balanced"))
    model = CalibratedClassifierCV(
        make_pipeline(StandardScaler(), machine), cv=splits(training), ensemble=False
    )
    return model.fit(training.features, training.targets).predict_proba(training.features)


CASES = [
    Case(recipe, class_training(k), by_library)
    for k in (2, 3)
    for recipe in (Svm(c=0.3), Svm("rbf", c=2.0), Svm("rbf", gamma=0.05))
]
