import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.wiener_cascade import WienerCascade
from tests.contract.trainings import Case, continuous_training, stacked


def by_library(recipe: WienerCascade, training: Training) -> NDArray[np.float64]:
    from sklearn.linear_model import Ridge

    rows, values = stacked(training, recipe.history)
    assert isinstance(recipe.alpha, float)
    strength = recipe.alpha * float(((rows - rows.mean(axis=0)) ** 2).sum()) / rows.shape[1]
    said = Ridge(alpha=strength).fit(rows, values).predict(rows)
    bent = [
        np.polynomial.Polynomial.fit(u, y, recipe.degree)(u)
        for u, y in zip(said.T, values.T, strict=True)
    ]
    return np.stack(bent, axis=1)


CASES = [
    Case(recipe, continuous_training(), by_library)
    for recipe in (WienerCascade(1, 1e-3), WienerCascade(4, 1e-2, degree=2))
]
