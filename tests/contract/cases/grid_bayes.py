import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.grid_bayes import GridBayes
from tests.contract.trainings import Case, place_training


def by_rule(recipe: GridBayes, training: Training) -> NDArray[np.float64]:
    """Return Bayes' rule, written out over the whole grid."""
    from scipy.ndimage import gaussian_filter
    from scipy.stats import norm, poisson

    places, counts, bins = training.targets, training.features, recipe.bins
    axes = [np.linspace(p.min(), p.max(), bins + 1) for p in places.T]
    time, _, _ = np.histogram2d(*places.T, bins=axes)
    smooth_time = gaussian_filter(time, recipe.smoothing, mode="constant")
    here = np.argwhere(time > 0)
    centres = np.stack([(e[:-1] + e[1:])[i] / 2 for e, i in zip(axes, here.T, strict=True)], 1)
    maps = []
    for n in counts.T:
        total = np.histogram2d(*places.T, bins=axes, weights=n)[0]
        rate = gaussian_filter(total, recipe.smoothing, mode="constant") / smooth_time
        maps.append(np.maximum(rate[tuple(here.T)], 1e-6 + 1e-3 * n.mean()))
    rates = np.stack(maps, axis=1)
    moved = np.diff(places, axis=0)[np.diff(training.groups) == 0]
    width = np.ptp(places, axis=0) / bins
    step = np.maximum(recipe.speed * np.sqrt((moved**2).mean(axis=0)), width / 2)
    said = []
    for group in np.unique(training.groups):
        belief = time[tuple(here.T)] / time.sum()
        for row in counts[training.groups == group]:
            ahead = np.zeros(len(centres))
            for place, share in zip(centres, belief, strict=True):
                jump = norm.pdf(centres, place, step).prod(axis=1)
                ahead += share * jump / jump.sum()
            belief = ahead * np.exp(poisson.logpmf(row, rates).sum(axis=1))
            belief /= belief.sum()
            said.append(belief @ centres)
    return np.array(said)


CASES = [
    Case(recipe, place_training(), by_rule)
    for recipe in (GridBayes(8), GridBayes(6, smoothing=0.5, speed=2.0))
]
