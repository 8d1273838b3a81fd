import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.fgmdm import Fgmdm
from tests.contract.trainings import Case, full, triangle_training


def by_library(recipe: Fgmdm, training: Training) -> NDArray[np.float64]:
    from pyriemann.classification import FgMDM

    matrices = full(training.features)
    return FgMDM(metric=recipe.metric).fit(matrices, training.targets).predict_proba(matrices)


CASES = [
    Case(Fgmdm(metric), triangle_training(k), by_library)
    for k in (2, 3)
    for metric in ("riemann", "logeuclid")
]
