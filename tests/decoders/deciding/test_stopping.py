import math

import numpy as np
import pytest

from decoders.deciding.stopping import Evidence, Stopping, fit_stopping


def trials(n, n_classes=4, sharpness=1.0, signal=1.0, seed=0, n_blocks=20):
    """Independent blocks whose posterior is known, told `sharpness` times too surely."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        truth = int(rng.integers(n_classes))
        x = rng.standard_normal((n_blocks, n_classes))
        x[:, truth] += signal
        logits = signal * x * sharpness
        made.append((np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), truth))
    return made


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_makes_up_for_what_is_told_too_surely(sharpness):
    fitted = fit_stopping(trials(300, sharpness=sharpness), "sum", 0.05)
    assert fitted.temperature == pytest.approx(sharpness, rel=0.25)


@pytest.mark.parametrize("error", [0.02, 0.1])
@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_the_stated_error_holds_on_other_trials_and_time_is_won(error, sharpness):
    fitted = fit_stopping(trials(200, sharpness=sharpness), "sum", error)
    others = trials(1000, sharpness=sharpness, seed=1)
    decided = [(fitted.when(rows), truth) for rows, truth in others]
    wrong = sum(label != truth for (_, label, early), truth in decided if early)
    n_early = sum(early for (_, _, early), _ in decided)
    assert n_early > 700
    assert wrong / n_early < 1.5 * error + 0.01
    assert np.mean([at for (at, _, _), _ in decided]) < 12


def test_where_the_odds_mislead_the_bound_is_raised_until_they_do_not():
    """A tenth of the trials is sure of the wrong class, for ever: no early decision is safe."""
    good, bad = np.array([[0.7, 0.3]] * 20), np.array([[0.2, 0.8]] * 20)
    fitted = fit_stopping([(good, 0)] * 18 + [(bad, 0)] * 2, "sum", 0.01)
    assert not any(fitted.when(rows)[2] for rows in (bad, good))


def test_noise_is_never_evidence_enough():
    rng = np.random.default_rng(2)
    noise = [(rng.dirichlet(np.ones(4), size=20), int(rng.integers(4))) for _ in range(60)]
    fitted = fit_stopping(noise, "sum", 0.05)
    assert sum(fitted.when(rows)[2] for rows, _ in noise) <= 3


@pytest.mark.parametrize("kind", ["sum", "newest"])
def test_block_by_block_it_stops_where_the_whole_trial_says(kind):
    fitted = Stopping(0.05, kind, 2.0, 1.5)
    for rows, _ in trials(50, seed=3):
        evidence, blocks = Evidence(kind), 0
        for row in rows:
            evidence.add(row.tolist())
            blocks += 1
            if fitted.reached(evidence.values):
                break
        at, label, _ = fitted.when(rows)
        assert (blocks - 1, int(np.argmax(evidence.values))) == (at, label)


def test_log_odds_are_exact_where_a_probability_is_all_but_one():
    assert Stopping(0.01, "sum", 1.0, 1.0).log_odds([0.0, -800.0]) == pytest.approx(800.0)
    assert Stopping(0.01, "sum", 1.0, 1.0).log_odds([0.0]) == math.inf
    two = Stopping(0.01, "sum", 2.0, 1.0).log_odds([2.0, 0.0, 0.0])
    assert two == pytest.approx(1 - math.log(2))


def test_what_was_impossible_once_is_not_so_for_ever():
    evidence = Evidence("sum")
    evidence.add((0.0, 1.0))
    assert all(map(math.isfinite, evidence.values))
