"""What every decoder that learns promises: exact, bounded, and a way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.adapting.rules.recursive_lda import RecursiveLda
from decoders.adapting.rules.recursive_ridge import RecursiveRidge
from decoders.adapting.versions import weights_hash
from decoders.models.lda import Lda
from decoders.output import Prediction
from decoders.pipeline import Pipeline
from decoders.transcript import Transcript
from devices.signal import Event
from tests.decoders.drifting import (
    TRIAL,
    label,
    lda,
    reaching,
    ridge,
    right,
    run,
    said,
    told,
    trials,
    versions,
    without_versions,
)

RULE = RecursiveLda(rate=0.2, covariance_rate=0.05)
SHIFT = (1.5, 0.5, 0.0, 0.0)


@pytest.fixture(scope="module")
def model():
    return lda()


@pytest.fixture(scope="module")
def drifted():
    return trials(60, 1, SHIFT)


def adapt(action, sample, *values):
    return Event(sample, action, "client", "adapt", tuple(map(float, values)))


def test_without_labels_nothing_changes(model, drifted):
    rows, _, _ = drifted
    fixed = said(run(model, Lda()), rows)
    learning = said(run(model, Lda(), [RULE]), rows)
    assert learning == fixed
    assert not versions(learning)


def test_a_decoder_that_learns_is_better_after_a_drift(model, drifted):
    rows, cues, truth = drifted
    fixed = right(said(run(model, Lda()), rows, cues), truth, 10)
    learning = right(said(run(model, Lda(), [RULE]), rows, cues), truth, 10)
    assert learning > fixed + 0.2


def test_each_version_says_what_taught_it(model, drifted):
    rows, cues, _ = drifted
    found = versions(said(run(model, Lda(), [RULE]), rows[: 4 * TRIAL], cues[:4]))
    assert [o.version for _, o in found] == [1, 2, 3, 4]
    assert [o.parent for _, o in found] == [0, 1, 2, 3]
    assert [(o.first, o.last) for _, o in found] == [(k * 20, k * 20 + 10) for k in range(4)]
    assert all(o.n_rows == 11 and o.n_labels == 1 and "cued" in o.reason for _, o in found)
    assert [s for s, _ in found] == [k * 20 + 10 for k in range(4)]


def test_a_trial_is_decided_before_it_teaches(model, drifted):
    rows, cues, _ = drifted
    upto = TRIAL - 5
    first = said(run(model, Lda(), [RULE]), rows[:upto], cues[:1])
    fixed = said(run(model, Lda()), rows[:upto], cues[:1])
    assert without_versions(first)[:11] == fixed[:11]
    assert without_versions(first)[11:] != fixed[11:]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_however_samples_are_cut_the_same_is_learned(data):
    model = lda()
    rows, _, truth = trials(8, 2, SHIFT)
    events = [label(k, truth, late=k % 7) for k in range(8)]
    events.insert(5, adapt("off", 3 * TRIAL + 4))
    events.append(adapt("on", 5 * TRIAL + 1))
    rule = RecursiveLda("feedback", 0.2)
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=5, max_size=5))
    at_once = said(run(model, Lda(), [rule]), rows, events=events)
    cut = said(run(model, Lda(), [rule]), rows, events=events, lengths=lengths)
    assert cut == at_once
    assert len(versions(at_once)) == 8


def transcript(found):
    lines = Transcript()
    for sample, outputs in found:
        lines.add(sample, outputs)
    return lines.sha256


def test_a_second_run_makes_every_version_again(model, drifted):
    rows, cues, _ = drifted
    first, again = (said(run(model, Lda(), [RULE]), rows, cues) for _ in range(2))
    assert [o.hash for _, o in versions(first)] == [o.hash for _, o in versions(again)]
    assert len({o.hash for _, o in versions(first)}) == 60
    assert transcript(first) == transcript(again)


def test_a_rollback_says_what_the_version_said_to_the_bit(model, drifted):
    rows, cues, _ = drifted
    back = 30 * TRIAL + 15
    events = [adapt("rollback", back, 0)]
    found = said(run(model, Lda(), [RULE]), rows, cues, events)
    fixed = said(run(model, Lda()), rows, cues)
    after = [f for f in without_versions(found) if f[0] > back + 10]
    # The trial that was open has blocks of both; what comes after it has none.
    assert after == [f for f in fixed if f[0] > back + 10]
    (at, notice) = versions(found)[-1]
    assert (at, notice.version) == (back + 1, 0)
    assert notice.hash == weights_hash(model.weights)
    assert "rollback from 31" in notice.reason


def test_a_rollback_to_a_version_in_between_and_on_again_goes_on_from_there(model, drifted):
    rows, cues, _ = drifted
    stopped = [adapt("off", 10 * TRIAL + 15)]
    only_ten = said(run(model, Lda(), [RULE]), rows, cues, stopped)
    back = 30 * TRIAL + 15
    returned = said(run(model, Lda(), [RULE]), rows, cues, [adapt("rollback", back, 11)])
    tail = [f for f in without_versions(returned) if f[0] > back + 10]
    assert tail == [f for f in without_versions(only_ten) if f[0] > back + 10]
    on = [adapt("rollback", back, 11), adapt("on", back + 1)]
    found = said(run(model, Lda(), [RULE]), rows, cues, on)
    first_after = next(o for s, o in versions(found) if s > back + 2)
    assert first_after.parent == 11


def test_no_such_version_is_refused_and_named(model, drifted):
    rows, cues, _ = drifted
    events = [adapt("rollback", 30, 99)]
    found = versions(said(run(model, Lda(), [RULE]), rows[:60], cues[:3], events))
    (notice,) = (o for s, o in found if s == 31)
    assert notice.reason == "refused: there is no version 99; there is 0, 1, 2"
    assert notice.version == 2


def test_what_was_learned_survives_a_gap(model, drifted):
    rows, cues, truth = drifted
    whole = said(run(model, Lda(), [RULE]), rows, cues)
    gap = 30 * TRIAL
    lengths = [gap]
    broken = said(run(model, Lda(), [RULE]), rows, cues, lengths=lengths, gaps={gap})
    assert right(broken, truth, 31) == pytest.approx(right(whole, truth, 31), abs=0.1)
    numbers = [o.version for _, o in versions(broken)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_version_that_moved_too_far_is_refused_and_unlearned(model, drifted):
    rows, cues, _ = drifted
    found = said(run(model, Lda(), [RecursiveLda(rate=0.9)], most_change=0.05), rows, cues)
    refused = [o for _, o in versions(found) if o.reason.startswith("refused")]
    assert refused
    assert all("of its size, more than 0.05" in o.reason for o in refused)
    last = versions(found)[-1][1]
    kept = [o for _, o in versions(found) if not o.reason.startswith("refused")]
    assert last.version == (kept[-1].version if kept else 0)


def test_a_label_beyond_all_measure_does_not_become_a_version():
    decoder, fitted = ridge()
    rows, velocity = reaching(300, 3)
    events = told(velocity)
    events[150] = Event(151, "", "client", "label", (1e9, -1e9), 150)
    rule = RecursiveRidge(every_s=2.0)
    running = run(fitted, decoder, [rule], pipeline=Pipeline(0.1), most_change=1.0)
    found = said(running, rows, events=events)
    values = np.array([o.values for _, outs in without_versions(found) for o in outs])
    assert np.abs(values).max() < 10 * np.abs(velocity).max()
    reasons = [o.reason for _, o in versions(found)]
    assert sum(r.startswith("refused") for r in reasons) == 1
    assert len(reasons) == 14


def test_a_hot_swap_loses_no_sample_and_the_new_version_knows_the_past():
    decoder, fitted = ridge(history=3)
    rows, velocity = reaching(400, 3, turn=0.7)
    running = run(fitted, decoder, [RecursiveRidge(every_s=5.0)], pipeline=Pipeline(0.1))
    found = said(running, rows, events=told(velocity))
    commands = [(s, o) for s, outs in without_versions(found) for o in outs]
    assert [s for s, _ in commands] == list(range(2, 400))  # one each, but while history fills
    changes = [s for s, _ in versions(found)]
    assert len(changes) >= 6
    # The block after a change is decoded from the history before it: exactly what the new
    # weights give for these rows.
    weights = running.adaptive.versions.kept[1].weights
    at = changes[0] + 1
    expected = weights["coef"] @ rows[at - 2 : at + 1].astype(float).ravel() + weights["intercept"]
    assert dict(commands)[at].values == pytest.approx(tuple(expected), rel=1e-12)


def test_shadow_takes_over_only_once_it_was_better_by_the_margin(model, drifted):
    rows, cues, truth = drifted
    shadow = {"shadow_trials": 10, "shadow_margin": 0.2}
    found = said(run(model, Lda(), [RULE], **shadow), rows, cues)
    fixed = said(run(model, Lda()), rows, cues)
    (at, taken), *_ = versions(found)
    assert at >= 11 * TRIAL
    assert taken.reason.startswith("shadow: ")
    assert taken.n_labels >= 10
    assert [f for f in without_versions(found) if f[0] <= at] == [f for f in fixed if f[0] <= at]
    assert right(found, truth, at // TRIAL + 1) > right(fixed, truth, at // TRIAL + 1) + 0.1


def test_shadow_that_is_taught_nonsense_never_takes_over(model):
    rows, cues, truth = trials(60, 4)
    wrong = np.random.default_rng(0).permutation(truth)
    events = [label(k, wrong) for k in range(60)]
    shadow = {"shadow_trials": 10, "shadow_margin": 0.1, "shadow_labels": "cues"}
    rule = RecursiveLda("feedback", 0.3, 0.1)
    found = said(run(model, Lda(), [rule], **shadow), rows, cues, events)
    assert not versions(found)
    assert right(found, truth) == right(said(run(model, Lda()), rows, cues), truth)


def test_outputs_stay_probabilities(model, drifted):
    rows, cues, _ = drifted
    for _, outputs in without_versions(said(run(model, Lda(), [RULE]), rows, cues)):
        for output in outputs:
            assert isinstance(output, Prediction)
            assert sum(output.probabilities) == pytest.approx(1.0)
