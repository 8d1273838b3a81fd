import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.xdawn import Xdawn
from tests.contract.trainings import Case, epoch_training


def by_library(recipe: Xdawn, training: Training) -> NDArray[np.float64]:
    from pyriemann.spatialfilters import Xdawn as Library
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    k = len(training.labels)
    epochs = training.features.reshape(-1, 3, 8)
    seen = Library(nfilter=recipe.filters).fit(epochs, training.targets).transform(epochs)
    rows = seen.reshape(len(seen), -1)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / k] * k)
    return lda.fit(rows, training.targets).predict_proba(rows)


CASES = [Case(Xdawn(f), epoch_training(k), by_library) for f, k in ((1, 2), (2, 3))]
