from dataclasses import replace

import numpy as np
import pytest

from bci_server.evaluation.evaluate import Controls, evaluate
from bci_server.evaluation.groups import Source
from bci_server.evaluation.leave_out import leave_one_out
from decoders.calibrating.calibration import calibrate
from decoders.deciding.trials import Trials
from decoders.features.log_power import LogPower
from decoders.models.aligned import Aligned
from decoders.models.lda import Lda
from decoders.models.ridge import Ridge
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from tests.decoders.made import cued, followed

TRIALS = Trials({"L": "left", "R": "right"}, 0.5, 2.5)
CLASSES = Pipeline(0.1, stages=Chain((LogPower(0.5),)), trials=TRIALS)


def three() -> list[Source]:
    return [Source(cued(12, seed), f"r{seed}", "p", str(seed)) for seed in range(3)]


def test_each_fold_is_what_calibrate_and_evaluate_say():
    result = leave_one_out(CLASSES, Lda(), three(), "session")
    assert [f.left_out for f in result.folds] == ["p 0", "p 1", "p 2"]
    assert [f.n_fitted for f in result.folds] == [2, 2, 2]
    model = calibrate(CLASSES, Lda(), [cued(12, 1), cued(12, 2)])
    alone = evaluate(model, CLASSES, Lda(), [cued(12, 0)])
    assert result.folds[0].metrics == alone.metrics
    assert result.folds[0].outputs_sha256 == alone.outputs_sha256


def test_the_folds_are_summed_up():
    result = leave_one_out(CLASSES, Lda(), three(), "session")
    accuracies = [f.metrics["accuracy"] for f in result.folds]
    assert result.score == "accuracy"
    assert result.mean == pytest.approx(np.mean(accuracies))
    assert result.mean_ci95 is not None
    assert 0.0 <= result.mean_ci95[0] <= result.mean <= result.mean_ci95[1] <= 1.0
    assert max(accuracies) == 1.0  # Student's interval would reach beyond
    assert result.pooled is not None
    assert result.pooled["n"] == 36
    assert result.pooled["accuracy"] == pytest.approx(result.mean)
    assert result.mean > 0.85


def test_permuted_labels_score_chance():
    sources = [Source(cued(40, seed), f"r{seed}") for seed in range(2)]
    controls = Controls(permute_seed=3)
    result = leave_one_out(CLASSES, Lda(), sources, "recording", controls=controls)
    assert 0.3 < result.mean < 0.7


def test_continuous_decoders_are_scored_by_the_mean_r2():
    # The tuning of the units is another in each.
    sources = [Source(followed(seed=seed), f"r{seed}") for seed in (0, 1)]
    result = leave_one_out(Pipeline(0.05), Ridge(1, 0.01), sources, "recording")
    assert result.score == "r2"
    assert result.pooled is None
    assert result.mean < 0.3
    again = [Source(followed(), "a"), Source(followed(), "b")]
    assert leave_one_out(Pipeline(0.05), Ridge(1, 0.01), again, "recording").mean > 0.6


def test_tuned_to_the_first_seconds_the_rest_is_scored():
    drifted = replace(cued(12, 2), values=cued(12, 2).values * [9.0, 1.0, 0.2])
    sources = [*three()[:2], Source(drifted, "drifted", "p", "9")]
    plain = Controls(skip_s=20.0)
    before = leave_one_out(CLASSES, Lda(), sources, "session", controls=plain).folds[-1]
    aligned = Aligned(Lda(), "zscore")
    after = leave_one_out(CLASSES, aligned, sources, "session", first_s=20.0).folds[-1]
    assert before.left_out == after.left_out == "p 9"
    assert before.metrics["n"] == after.metrics["n"] == 7
    assert after.metrics["accuracy"] > 0.8 > before.metrics["accuracy"]


def test_recordings_that_differ_are_refused():
    sources = [*three()[:2], Source(followed(), "other", "p", "9")]
    with pytest.raises(Mismatch):
        leave_one_out(CLASSES, Lda(), sources, "session")


def test_without_recordings_it_says_so():
    with pytest.raises(Mismatch, match="no recording"):
        leave_one_out(CLASSES, Lda(), [], "session")
