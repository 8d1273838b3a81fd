import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig

from decoders.classifying.linear import softmax
from decoders.decoder import Training
from decoders.models.trca import Trca
from tests.contract.trainings import BLOCK, Case, fitted, flicker_training


def by_library(recipe: Trca, training: Training) -> NDArray[np.float64]:
    """Return what the paper's formulas give, trial by trial and pair by pair of trials."""
    assert training.ages is not None
    n, n_trials = int(training.ages.max()) + 1, int(training.groups.max()) + 1
    skip, k = round(recipe.skip_s * 120), len(training.labels)
    x = training.features.reshape(n_trials, n, recipe.bands, -1)[:, skip:]
    truths = training.targets[:: n // BLOCK]
    means = [x[truths == c].mean(axis=0) for c in range(k)]
    filters = np.array(
        [[repeating(x[truths == c][:, :, b]) for c in range(k)] for b in range(recipe.bands)]
    )
    temperature = float(fitted(recipe, training)["temperature"][0])
    said = []
    for trial in x:
        for end in range(BLOCK - skip, n - skip + 1, BLOCK):
            if end <= 0:
                said.append((1 / k,) * k)
                continue
            scores = np.zeros(k)
            for b in range(recipe.bands):
                for c in range(k):
                    w = filters[b] if recipe.ensemble else filters[b][[c]]
                    one, other = (trial[:end, b] @ w.T).ravel(), (means[c][:end, b] @ w.T).ravel()
                    rho = np.corrcoef(one, other)[0, 1]
                    scores[c] += ((b + 1) ** -1.25 + 0.25) * np.sign(rho) * rho**2
            said.append(softmax((end * scores / temperature).tolist()))
    return np.array(said)


def repeating(trials: NDArray[np.float64]) -> NDArray[np.float64]:
    x = trials - trials.mean(axis=1, keepdims=True)
    s = sum(a.T @ b for i, a in enumerate(x) for j, b in enumerate(x) if i != j)
    q = sum(a.T @ a for a in x)
    values, vectors = eig(s, q)
    best = vectors[:, values.real.argmax()].real
    return best / np.sqrt(best @ q @ best) * np.sign(best[np.abs(best).argmax()])


CASES = [
    Case(recipe, flicker_training(), by_library)
    for recipe in (Trca(), Trca(bands=2), Trca(bands=2, ensemble=False), Trca(skip_s=0.1))
]
