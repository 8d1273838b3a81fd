import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders.deciding.stopping import Stopping
from decoders.deciding.trials import Trial, Trials, decide
from decoders.decoder import Event, Moment
from decoders.output import Command, Prediction

TRIALS = Trials({"T1": "fists", "T2": "feet"}, 0.5, 2.0)
LABELS = ("fists", "feet")
HOP = 10
RATE_HZ = 100.0


def run(ps, cues, known_after=None, stopping=None):
    """Feed one probability of ``fists`` a block; cues are (sample, label)."""
    deciding = TRIALS.start(RATE_HZ, HOP, stopping)
    said = []
    waiting = [Event(s, label) for s, label in cues]
    for i, p in enumerate(ps):
        sample = (i + 1) * HOP - 1
        now = [e for e in waiting if e.sample <= sample and sample >= (known_after or 0)]
        waiting = [e for e in waiting if e not in now]
        moment = deciding.begin(Moment(sample, 0.0, tuple(now)))
        outputs = deciding((Prediction(LABELS, (p, 1 - p)),), moment)
        (prediction,) = outputs
        if prediction.decision is not None:
            said.append((sample, prediction.decision, prediction.cue_sample))
    return said


def test_only_markers_that_are_named_cue_trials():
    events = [Event(100, "T1"), Event(300, "T0"), Event(500, "T2", "client")]
    assert TRIALS.of(events, RATE_HZ) == [
        Trial(100, "fists", 150, 300),
        Trial(500, "feet", 550, 700),
    ]


def test_classes_come_in_the_order_they_are_named_each_once():
    assert Trials({"x": "b", "y": "a", "z": "b"}).classes == ("b", "a")


def test_a_decision_ends_the_trial_and_no_other_block_has_one():
    # The cue is at 100; blocks that end from 150 to 300 count.
    ps = [0.9] * 15 + [0.2] * 15 + [0.9] * 10
    assert run(ps, [(100, "T1")]) == [(309, "feet", 100)]


def test_one_sure_block_outweighs_unsure_ones():
    ps = [0.5] * 20 + [0.4, 0.4, 0.4, 0.999] + [0.5] * 20
    assert run(ps, [(100, "T2")]) == [(309, "fists", 100)]


@given(
    st.lists(st.floats(0.01, 0.99), min_size=40, max_size=40),
    st.integers(0, 150),
    st.integers(0, 140),
)
def test_a_cue_that_arrives_late_decides_the_same(ps, cue, late):
    prompt = run(ps, [(cue, "T1")])
    delayed = run(ps, [(cue, "T1")], known_after=cue + late)
    assert delayed == prompt


def test_a_cue_that_arrives_after_its_trial_decides_at_once():
    ps = [0.9] * 60
    assert run(ps, [(100, "T1")], known_after=355) == [(359, "fists", 100)]


def test_trials_that_end_in_one_block_are_all_decided_each_by_its_own_blocks():
    deciding = Trials({"T1": "fists", "T2": "feet"}, 0.0, 0.05).start(RATE_HZ, HOP)
    said = []
    for sample, p in ((9, 0.9), (19, 0.1), (29, 0.9)):
        # The cue of the second block comes with the third: too late for its own.
        cues = {9: [(4, "T1")], 29: [(14, "T2"), (24, "T1")]}.get(sample, [])
        moment = deciding.begin(Moment(sample, 0.0, tuple(Event(*cue) for cue in cues)))
        said.append(list(deciding((Prediction(LABELS, (p, 1 - p)),), moment)))
    decided = [[(o.decision, o.cue_sample) for o in outputs] for outputs in said]
    assert decided == [[("fists", 4)], [(None, None)], [("fists", 24), ("feet", 14)]]


def test_outputs_without_a_prediction_pass_unchanged():
    deciding = TRIALS.start(RATE_HZ, HOP)
    outputs = (Command("velocity", ("vx",), (1.0,), "m/s"),)
    moment = deciding.begin(Moment(9, 0.0, (Event(0, "T1"),)))
    assert deciding(outputs, moment) is outputs


def test_what_is_said_beside_the_prediction_stays_in_its_place():
    deciding = Trials({"T1": "fists"}, 0.0, 0.09).start(RATE_HZ, HOP)
    command = Command("velocity", ("vx",), (1.0,), "m/s")
    moment = deciding.begin(Moment(9, 0.0, (Event(0, "T1"),)))
    said = deciding((command, Prediction(LABELS, (0.2, 0.8))), moment)
    assert said == [command, Prediction(LABELS, (0.2, 0.8), "feet", 0)]


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=9))
def test_evidence_is_summed_log_probability_in_any_order(rows):
    sums = [math.fsum(math.log(max(r[k], 1e-12)) for r in rows) for k in range(3)]
    assert sums[decide(rows)] == max(sums)
    assert decide(rows) == decide(rows[::-1])


@pytest.mark.parametrize(("start_s", "end_s"), [(1.0, 1.0), (-0.1, 1.0), (2.0, 1.0)])
def test_a_senseless_window_is_refused(start_s, end_s):
    with pytest.raises(ValueError, match=f"start_s = {start_s}"):
        Trials({}, start_s, end_s)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"idle": "rest"}, "idle = 'rest' is none of the classes, fists"),
        ({"stop_error": 0.5}, "stop_error is a share of wrong decisions, 0 to below 0.5, not 0.5"),
    ],
)
def test_senseless_keys_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        Trials({"T1": "fists"}, **keys)


SURE = Stopping(0.05, "sum", 1.0, math.log(19))


def test_evidence_enough_decides_before_the_end_and_only_once():
    # 0.9 and 0.9 are odds of 81; the first block that counts ends at 159.
    assert run([0.9] * 60, [(100, "T1")], stopping=SURE) == [(169, "fists", 100)]


def test_without_evidence_enough_the_end_decides():
    assert run([0.51] * 60, [(100, "T2")], stopping=SURE) == [(309, "fists", 100)]


def test_a_late_cue_decides_early_for_the_same_class_as_a_prompt_one():
    ps = [0.5] * 15 + [0.99] + [0.01] * 40
    assert run(ps, [(100, "T1")], stopping=SURE) == [(159, "fists", 100)]
    assert run(ps, [(100, "T1")], known_after=250, stopping=SURE) == [(259, "fists", 100)]


def test_the_newest_block_alone_may_count():
    newest = Trials({"T1": "fists"}, 0.0, 0.3, evidence="newest")
    assert decide([(0.1, 0.9), (0.6, 0.4)], "newest") == 0
    deciding = newest.start(RATE_HZ, HOP)
    said = []
    for sample, p in ((9, 0.01), (19, 0.01), (29, 0.6), (39, 0.01)):
        events = (Event(9, "T1"),) if sample == 9 else ()
        moment = deciding.begin(Moment(sample, 0.0, events))
        said += deciding((Prediction(LABELS, (p, 1 - p)),), moment)
    assert [p.decision for p in said] == [None, None, None, "feet"]


def test_a_block_knows_its_trial_until_that_is_decided():
    deciding = TRIALS.start(RATE_HZ, HOP, SURE)
    cues = []
    for sample in range(9, 200, HOP):
        events = (Event(95, "T1"),) if sample == 99 else ()
        moment = deciding.begin(Moment(sample, 0.0, events))
        cues.append(moment.cue)
        deciding((Prediction(LABELS, (0.999, 0.001)),), moment)
    # Counts from 145 on: the block that ends at 149 decides.
    assert cues == [None] * 9 + [95] * 6 + [None] * 5
