"""How much evidence is enough: an error rate that left-out stretches show, or a refusal."""

import numpy as np
import pytest

from decoders.calibrating.uncued_bound import LeftOut, fit_bound
from decoders.deciding.trials import Trial
from decoders.deciding.uncued import Uncued, steps
from decoders.scoring.uncued_scores import Listened, uncued_scores
from decoders.stage import Mismatch

LABELS = ("rest", "fists", "feet")
BLOCK_S = 0.1


def people(n_trials: int, seed: int, skill: float = 0.6) -> LeftOut:
    """Return what a noisy decoder says of somebody who rests and wishes in turn, 4 s each."""
    rng = np.random.default_rng(seed)
    truths = np.repeat([0 if i % 2 == 0 else 1 + i // 2 % 2 for i in range(n_trials)], 40)
    scores = rng.standard_normal((len(truths), 3))
    for i in range(1, len(scores)):  # overlapping windows: neighbours are alike
        scores[i] = 0.8 * scores[i - 1] + 0.6 * scores[i]
    scores[np.arange(len(truths)), truths] += 4 * skill
    powers = np.exp(scores)
    trials = [
        Trial(400 * i, LABELS[truths[40 * i]], 400 * i + 100, 400 * i + 399)
        for i in range(n_trials)
    ]
    samples = np.arange(1, len(truths) + 1) * 10 - 1
    return LeftOut(100.0, samples, powers / powers.sum(axis=1, keepdims=True), trials)


def judged(people: list[LeftOut], recipe: Uncued, bound: float) -> dict:
    heard = []
    for one in people:
        listening = recipe.start(LABELS, "rest", bound, BLOCK_S)
        said = [
            (int(s), listening.add(step))
            for s, step in zip(one.samples, steps(one.probabilities), strict=True)
        ]
        decisions = [(sample, label) for sample, label in said if label is not None]
        heard.append(Listened(one.rate_hz, int(one.samples[-1]), one.trials, decisions))
    return uncued_scores(recipe.error_rate, "rest", heard)


@pytest.mark.parametrize("error_rate", [0.1, 0.2])
def test_the_stated_error_rate_holds_for_what_was_not_seen(error_rate: float) -> None:
    recipe = Uncued(error_rate)
    new = [people(100, seed) for seed in range(100, 104)]
    met = []
    for trial in range(4):
        known = [people(100, 10 * trial + seed) for seed in range(2)]
        bound, found = fit_bound(recipe, LABELS, "rest", known, BLOCK_S)
        assert found["error_rate"] <= found["shown"] <= error_rate
        assert found["answered"] >= 0.5
        met.append(judged(new, recipe, bound)["error_rate"] <= error_rate)
    assert sum(met) >= 3  # it is promised in nine of ten calibrations


def test_the_lower_the_error_rate_the_more_evidence_is_asked_for() -> None:
    known = [people(100, seed) for seed in range(2)]
    bounds = [fit_bound(Uncued(e), LABELS, "rest", known, BLOCK_S)[0] for e in (0.3, 0.1)]
    assert bounds[0] < bounds[1]


def test_few_trials_show_no_low_error_rate_however_well_they_went() -> None:
    with pytest.raises(Mismatch, match=r"0 were wrong, which shows 0\.\d+; .* 45 trials would do"):
        fit_bound(Uncued(0.05), LABELS, "rest", [people(40, 0, skill=3.0)], BLOCK_S)
    fit_bound(Uncued(0.05), LABELS, "rest", [people(120, 0, skill=3.0)], BLOCK_S)


def test_chance_makes_no_promise() -> None:
    with pytest.raises(Mismatch, match=r"error rate of 0.1 cannot be shown .* \d+ trials"):
        fit_bound(Uncued(0.1), LABELS, "rest", [people(60, 0, skill=0.0)], BLOCK_S)


def test_an_idle_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(Mismatch, match=r"which of rest, fists, feet it is with \[trials\] idle"):
        fit_bound(Uncued(0.1), LABELS, "", [people(10, 0)], BLOCK_S)
