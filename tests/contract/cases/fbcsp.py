import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.fbcsp import Fbcsp
from tests.contract.trainings import Case, band_training, full


def by_library(recipe: Fbcsp, training: Training) -> NDArray[np.float64]:
    """Return what scipy's eigenvectors and kernel densities, and LDA on the best powers, say."""
    from scipy.linalg import eigh
    from scipy.stats import gaussian_kde
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    k, m, trials = len(training.labels), recipe.pairs, np.unique(training.groups)
    truths = np.array([training.targets[training.groups == t][0] for t in trials])
    bands = [full(part) for part in np.split(training.features, 3, axis=1)]
    kept = {}
    for label in [1] if k == 2 else range(k):
        told, columns = [], []
        for band in bands:
            c = band / np.trace(band, axis1=1, axis2=2)[:, None, None]
            own, other = c[training.targets == label].mean(0), c[training.targets != label].mean(0)
            vectors = eigh(own, own + other)[1]
            for w in [*vectors.T[:m], *vectors.T[-m:]]:
                power = np.log(np.einsum("i,nij,j->n", w, band, w))
                mean = np.array([power[training.groups == t].mean() for t in trials])
                is_class = truths == label
                ps = [
                    gaussian_kde(mean[s], "silverman")(mean) * s.mean()
                    for s in (is_class, ~is_class)
                ]
                posterior = np.stack(ps) / sum(ps)
                told.append((posterior * np.log(posterior)).sum(0).mean())
                columns.append(power)
        for best in np.argsort(told, kind="stable")[::-1][: recipe.features]:
            first = best // (2 * m) * 2 * m
            for i in (best, first + 2 * m - 1 - (best - first)):
                kept[label, i] = columns[i]
    rows = np.stack(list(kept.values()), axis=1)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / k] * k)
    return lda.fit(rows, training.targets).predict_proba(rows)


CASES = [Case(Fbcsp(p, 3), band_training(k), by_library) for p, k in ((1, 2), (2, 3))]
