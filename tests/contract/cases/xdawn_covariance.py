import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.xdawn_covariance import XdawnCovariance
from tests.contract.trainings import Case, epoch_training


def by_library(recipe: XdawnCovariance, training: Training) -> NDArray[np.float64]:
    from pyriemann.estimation import XdawnCovariances
    from pyriemann.tangentspace import TangentSpace as Mapping
    from sklearn.covariance import shrunk_covariance
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def shrunk(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return shrunk_covariance(np.cov(x, bias=True), recipe.shrinkage)

    covariances = XdawnCovariances(nfilter=recipe.filters, estimator=shrunk)
    regression = LogisticRegression(C=recipe.c, class_weight="balanced", max_iter=5000, tol=1e-8)
    model = make_pipeline(covariances, Mapping(metric="riemann"), regression)
    epochs = training.features.reshape(-1, 3, 8)
    return model.fit(epochs, training.targets).predict_proba(epochs)


CASES = [
    Case(XdawnCovariance(2, s), epoch_training(k), by_library) for s, k in ((0.1, 2), (0.5, 3))
]
