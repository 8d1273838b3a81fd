import numpy as np
import pytest
from scipy.stats import binom, pearsonr
from sklearn.metrics import r2_score, roc_auc_score

from decoders.scoring.scores import class_scores, continuous_scores


def test_accuracy_and_confusion_count_an_undecided_trial_as_wrong():
    scores = class_scores([0, 0, 1, 1, 1], [0, 1, 1, 1, None], ["left", "right"])
    assert scores["accuracy"] == 0.6
    assert scores["confusion"] == [[1, 1, 0], [0, 2, 1]]
    assert scores["chance"] == 0.6
    assert "auc" not in scores


def test_the_interval_is_wilson_s():
    # 14 of 15: Wilson's interval as in R's binom::binom.wilson.
    scores = class_scores([0] * 15, [0] * 14 + [1], ["a", "b"])
    assert scores["ci95"] == pytest.approx([0.7018, 0.9881], abs=2e-4)


@pytest.mark.parametrize("right", [8, 11, 15])
def test_chance_is_what_guessing_the_most_frequent_class_gives(right):
    truths = [0] * 8 + [1] * 7
    decisions = truths[:right] + [1 - t for t in truths[right:]]
    scores = class_scores(truths, decisions, ["a", "b"])
    assert scores["p_value"] == pytest.approx(binom.sf(right - 1, 15, 8 / 15))
    assert scores["chance_p95"] == pytest.approx(binom.ppf(0.95, 15, 8 / 15) / 15)


def test_auc_is_the_library_s_with_ties():
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 2, 60).tolist()
    p = (rng.integers(0, 10, 60) / 10).tolist()
    scores = class_scores(truths, truths, ["a", "b"], p)
    assert scores["auc"] == pytest.approx(roc_auc_score(truths, p))


def test_the_interval_of_an_auc_is_hanley_and_mcneil_s():
    rng = np.random.default_rng(2)
    truths = (np.arange(120) % 3 == 0).astype(int)
    scores = class_scores(truths, truths, ["a", "b"], rng.random(120) + 0.4 * truths)
    a, n, m = scores["auc"], 40, 80
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = ((a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)) ** 0.5
    assert scores["auc_ci95"] == pytest.approx([a - 1.96 * error, a + 1.96 * error], abs=1e-5)


def test_thousands_of_trials_have_a_chance_too():
    truths = [int(i % 6 == 0) for i in range(6000)]
    scores = class_scores(truths, [0] * 6000, ["other", "target"])
    assert scores["chance"] == pytest.approx(5 / 6)
    assert scores["p_value"] == pytest.approx(0.5, abs=0.02)
    assert scores["chance_p95"] == pytest.approx(5 / 6 + 1.645 * (5 / 36 / 6000) ** 0.5, abs=1e-3)


def test_r2_and_correlation_are_the_library_s():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((500, 2))
    decoded = truth * [0.8, 0.1] + 0.3 * rng.standard_normal((500, 2))
    scores = continuous_scores(truth, decoded, ["vx", "vy"])
    assert scores["r2"] == pytest.approx(
        r2_score(truth, decoded, multioutput="raw_values").tolist()
    )
    assert scores["correlation"] == pytest.approx(
        [pearsonr(truth[:, i], decoded[:, i])[0] for i in range(2)]
    )
    for r2, (low, high) in zip(scores["r2"], scores["ci95"], strict=True):
        assert low < r2 < high
        assert high - low < 0.2


def test_a_truth_that_stands_still_has_no_r2():
    scores = continuous_scores(np.ones((100, 1)), np.zeros((100, 1)), ["vx"])
    assert scores["r2"] == [0.0]
    assert scores["correlation"] == [0.0]


def test_scores_are_the_same_each_time():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((500, 1))
    assert continuous_scores(truth, truth * 0.5, ["v"]) == continuous_scores(
        truth, truth * 0.5, ["v"]
    )
