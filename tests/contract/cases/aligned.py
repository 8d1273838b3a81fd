"""What is behind an alignment, on rows that are aligned by hand."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.aligned import Aligned
from decoders.models.logistic import Logistic
from decoders.models.tangent_space import TangentSpace
from tests.contract.trainings import Case, class_training, full, triangle_training


def by_scaling(recipe: Aligned, training: Training) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = StandardScaler().fit_transform(training.features)
    regression = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000, tol=1e-8)
    return regression.fit(rows, training.targets).predict_proba(rows)


def by_recentring(recipe: Aligned, training: Training) -> NDArray[np.float64]:
    from pyriemann.tangentspace import TangentSpace as Mapping
    from pyriemann.transfer import TLCenter
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = np.array([f"one/{t}" for t in training.targets])
    centred = TLCenter(target_domain="one").fit_transform(full(training.features), labels)
    regression = LogisticRegression(C=1.0, class_weight="balanced", max_iter=5000, tol=1e-8)
    model = make_pipeline(Mapping(metric="riemann"), regression)
    return model.fit(centred, training.targets).predict_proba(centred)


def alone(training: Training) -> Training:
    """Return it as a session that has a number."""
    return replace(training, sessions=np.zeros(len(training.features), np.int64))


CASES = [
    Case(Aligned(Logistic(), "zscore"), class_training(), by_scaling),
    Case(Aligned(TangentSpace(), "recentre"), alone(triangle_training()), by_recentring),
]
