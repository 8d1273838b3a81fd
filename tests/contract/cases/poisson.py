import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.poisson import Poisson
from tests.contract.trainings import Case, count_training


def by_distribution(recipe: Poisson, training: Training) -> NDArray[np.float64]:
    from scipy.special import softmax
    from scipy.stats import poisson

    counts, overall = training.features, training.features.mean(axis=0)
    scores = []
    for k in range(len(training.labels)):
        rows = counts[training.targets == k]
        shape, scale = recipe.prior_rows * overall + rows.sum(axis=0), recipe.prior_rows + len(rows)
        scores.append(poisson.logpmf(counts, shape / scale).sum(axis=1))
    return softmax(np.array(scores), axis=0).T


CASES = [Case(Poisson(prior), count_training(k), by_distribution) for k, prior in ((2, 1), (3, 5))]
