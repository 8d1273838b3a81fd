import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.point_process import PointProcess
from tests.contract.trainings import Case, place_training


def by_equations(recipe: PointProcess, training: Training) -> NDArray[np.float64]:
    """Return what Eden's equations say, unit by unit and row by row."""
    from sklearn.linear_model import PoissonRegressor
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    parts = [np.flatnonzero(training.groups == group) for group in np.unique(training.groups)]
    rows = np.concatenate([part[: len(part) - recipe.lag] for part in parts])
    values = training.targets[rows + recipe.lag]
    if recipe.with_speed:
        values = np.column_stack([values, np.hypot(*values.T)])
    x = scaler.fit_transform(values)
    units = [
        PoissonRegressor(alpha=recipe.alpha, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(
            x, counts
        )
        for counts in training.features[rows].T
    ]
    same = np.diff(training.groups[rows]) == 0
    a = np.linalg.lstsq(x[:-1][same], x[1:][same], rcond=None)[0].T
    left = x[1:][same] - x[:-1][same] @ a.T
    w = left.T @ left / len(left)
    phi = recipe.dispersion
    if phi == 0:
        scores, expected = np.zeros_like(x), np.zeros((x.shape[1], x.shape[1]))
        for unit, counts in zip(units, training.features[rows].T, strict=True):
            rates = unit.predict(x)
            scores += np.outer(counts - rates, unit.coef_)
            expected += rates.mean() * np.outer(unit.coef_, unit.coef_)
        varied = scores.T @ scores / len(scores)
        phi = np.trace(np.linalg.inv(expected) @ varied) / len(expected)
    said = []
    for part in parts:
        state, p = np.zeros(x.shape[1]), x.T @ x / len(x)
        for counts in training.features[part]:
            state, ahead = a @ state, a @ p @ a.T + w
            information = np.linalg.inv(ahead)
            push = np.zeros_like(state)
            for unit, n in zip(units, counts, strict=True):
                rate = np.exp(unit.intercept_ + unit.coef_ @ state)
                information = information + rate / phi * np.outer(unit.coef_, unit.coef_)
                push = push + unit.coef_ * (n - rate) / phi
            p = np.linalg.inv(information)
            state = np.clip(state + p @ push, 2 * x.min(axis=0), 2 * x.max(axis=0))
            said.append(scaler.inverse_transform(state[np.newaxis])[0, :2])
    return np.array(said)


CASES = [
    Case(recipe, place_training(), by_equations)
    for recipe in (PointProcess(), PointProcess(1, 0.1, 1.0, with_speed=False))
]
