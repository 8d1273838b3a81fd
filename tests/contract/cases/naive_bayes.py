import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.naive_bayes import NaiveBayes
from tests.contract.trainings import Case, class_training


def by_library(recipe: NaiveBayes, training: Training) -> NDArray[np.float64]:
    from sklearn.naive_bayes import GaussianNB

    k = len(training.labels)
    model = GaussianNB(priors=[1 / k] * k, var_smoothing=recipe.smoothing)
    return model.fit(training.features, training.targets).predict_proba(training.features)


CASES = [
    Case(NaiveBayes(smoothing), class_training(k), by_library)
    for k, smoothing in ((2, 1e-9), (3, 0.1))
]
