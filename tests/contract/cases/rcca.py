import math

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.classifying.linear import softmax
from decoders.decoder import Training
from decoders.models.rcca import Rcca
from tests.contract.trainings import BLOCK, CODES, Case, code_training, fitted


def by_library(recipe: Rcca, training: Training) -> NDArray[np.float64]:
    """Return what PyntBCI's correlations become, with the temperature that was fitted."""
    pyntbci = pytest.importorskip("pyntbci")
    assert training.ages is not None
    n, n_trials = int(training.ages.max()) + 1, int(training.groups.max()) + 1
    x = training.features.reshape(n_trials, n, -1).transpose(0, 2, 1)
    truths = training.targets[:: n // BLOCK]
    cycle = np.array([[int(b) for b in CODES[c]] for c in training.labels]).repeat(2, axis=1)
    event = {"duration": "duration", "edges": "refe"}[recipe.events]
    model = pyntbci.classifiers.rCCA(
        cycle, 120, event=event, onset_event=recipe.onset, encoding_length=recipe.response_s
    ).fit(x.copy(), truths)
    temperature = float(fitted(recipe, training)["temperature"][0])
    said = []
    for trial in x:
        for end in range(BLOCK, n + 1, BLOCK):
            seen = model.cca_[0].transform(X=trial[np.newaxis, :, :end].copy())[0][:, 0]
            templates = model._get_T_full(end)[:, 0]
            rho = np.clip(pyntbci.utilities.correlation(seen, templates)[0], 0, 1)
            scores = [-0.5 * end * math.log1p(-(float(r) ** 2)) / temperature for r in rho]
            said.append(softmax(scores))
    return np.array(said)


CASES = [
    Case(Rcca(CODES, 60.0, response_s=0.2, onset=onset, events=events), code_training(), by_library)
    for events, onset in (("duration", False), ("edges", False), ("duration", True))
]
