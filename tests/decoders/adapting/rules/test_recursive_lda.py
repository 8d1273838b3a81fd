import numpy as np
import pytest

from decoders.adapting.rules.recursive_lda import RecursiveLda
from decoders.models.lda import Lda
from decoders.stage import Mismatch
from tests.decoders.drifting import (
    CLASSES,
    TRIAL,
    label,
    lda,
    right,
    run,
    said,
    trials,
    versions,
)

SHIFT = (1.5, 0.5, 0.0, 0.0)


@pytest.fixture(scope="module")
def model():
    return lda()


def test_means_and_covariance_move_as_the_papers_formula_says(model):
    rows, cues, truth = trials(3, 1, SHIFT)
    running = run(model, Lda(), [RecursiveLda("cues", 0.2, 0.1)])
    said(running, rows, cues)
    means, covariance = model.weights["means"].copy(), model.weights["covariance"].copy()
    for k, c in enumerate(truth):
        x = rows[k * TRIAL : k * TRIAL + 11].astype(float)
        means[c] = 0.8 * means[c] + 0.2 * x.mean(axis=0)
        covariance = 0.9 * covariance + 0.1 * np.mean(
            [np.outer(r - means[c], r - means[c]) for r in x], axis=0
        )
    version = running.adaptive.versions.current
    np.testing.assert_allclose(version.weights["means"], means, atol=1e-12)
    np.testing.assert_allclose(version.weights["covariance"], covariance, atol=1e-12)
    inverse = np.linalg.inv(covariance)
    np.testing.assert_allclose(version.weights["coef"], means @ inverse, atol=1e-10)
    bias = [-0.5 * m @ inverse @ m for m in means]
    np.testing.assert_allclose(version.weights["intercept"], bias, atol=1e-10)


@pytest.mark.parametrize("late", [0, 3, 30])
def test_labels_may_come_from_clients_and_late(model, late):
    rows, cues, truth = trials(60, 1, SHIFT)
    events = [label(k, truth, late) for k in range(60)]
    learning = said(run(model, Lda(), [RecursiveLda("feedback", 0.2)]), rows, cues, events)
    fixed = said(run(model, Lda()), rows, cues)
    assert right(learning, truth, 10) > right(fixed, truth, 10) + 0.2
    first, second = (o for _, o in versions(learning)[:2])
    assert (first.last, second.last) == (10, TRIAL + 10)


def test_its_own_confident_decisions_teach_and_the_others_do_not(model):
    rows, cues, truth = trials(100, 5, (0.7, 0.0, 0.0, 0.0))
    fixed = said(run(model, Lda()), rows, cues)
    own = said(run(model, Lda(), [RecursiveLda("own", 0.2, 0.0, 0.8)]), rows, cues)
    assert right(own, truth, 20) >= right(fixed, truth, 20)
    sure = said(run(model, Lda(), [RecursiveLda("own", 0.2, 0.0, 1.0)]), rows, cues)
    assert not versions(sure)


def test_a_storm_of_one_label_is_stopped_by_the_gate(model):
    rows, cues, _ = trials(200, 5, (30.0, 0.0, 0.0, 0.0))
    found = said(run(model, Lda(), [RecursiveLda("own", 0.05, 0.0, 0.9)]), rows, cues)
    taught = [o.reason.split()[-1] for _, o in versions(found)]
    assert len(taught) < 40
    assert set(taught) <= set(CLASSES)


def test_without_any_label_a_common_shift_is_followed(model):
    rows, cues, truth = trials(100, 6, (1.5, 0.5, 0.0, 0.0))
    # Between trials nothing is meant; what all rows share moves all means.
    rule = RecursiveLda("none", rate=0.02, every_s=5.0)
    learning = said(run(model, Lda(), [rule]), rows, cues)
    fixed = said(run(model, Lda()), rows, cues)
    assert right(learning, truth, 20) > right(fixed, truth, 20) + 0.15
    assert all("mean of all rows" in o.reason for _, o in versions(learning))


def test_a_model_without_means_is_refused_with_the_remedy(model):
    from dataclasses import replace

    weights = {k: model.weights[k] for k in ("coef", "intercept")}
    with pytest.raises(Mismatch, match="Calibrate again"):
        said(run(replace(model, weights=weights), Lda(), [RecursiveLda()]), np.zeros((5, 4)))


def test_cues_without_trials_are_refused(model):
    from decoders.pipeline import Pipeline

    with pytest.raises(Mismatch, match=r"\[trials\]"):
        run(model, Lda(), [RecursiveLda()], pipeline=Pipeline(0.1))


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": 1.0}, {"confidence": 2.0}, {"every_s": 0.0}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        RecursiveLda(**wrong)
