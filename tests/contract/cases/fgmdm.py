import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.fgmdm import Fgmdm
from tests.contract.trainings import Case, full, triangle_training


def by_library(recipe: Fgmdm, training: Training) -> NDArray[np.float64]:
    from pyriemann.classification import MDM, FgMDM
    from pyriemann.geometry.base import invsqrtm
    from pyriemann.geometry.mean import mean_riemann
    from pyriemann.tangentspace import TangentSpace
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    matrices = full(training.features)
    if (
        recipe.metric == "logchol"
    ):  # FgMDM's steps at the identity, once their mean has whitened them
        whitening = invsqrtm(mean_riemann(matrices))
        identity = {"mean": lambda x, sample_weight: np.eye(len(x[0])), "map": "logchol"}
        mapping = TangentSpace(metric=identity)
        rows = mapping.fit_transform(whitening @ matrices @ whitening)
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        w = lda.fit(rows, training.targets).coef_
        filtered = mapping.inverse_transform(rows @ w.T @ np.linalg.pinv(w @ w.T) @ w)
        return MDM(metric="logchol").fit(filtered, training.targets).predict_proba(filtered)
    return FgMDM(metric=recipe.metric).fit(matrices, training.targets).predict_proba(matrices)


CASES = [
    Case(Fgmdm(metric), triangle_training(k), by_library)
    for k in (2, 3)
    for metric in ("riemann", "logeuclid", "logchol")
]
