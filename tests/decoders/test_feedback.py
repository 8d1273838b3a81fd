import numpy as np
import pytest

from decoders.deciding.trials import Trials
from decoders.feedback import event_of, problem_with
from decoders.pipeline import Pipeline
from devices.signal import Chunk, Event, Marker, Signal

SIGNAL = Signal(100.0, ("a",), "uV")


@pytest.mark.parametrize(
    ("text", "kind", "label", "values"),
    [
        ("feedback:target:up:0.1,-0.05", "target", "up", (0.1, -0.05)),
        ("feedback:label:left", "label", "left", ()),
        ("feedback:reward::1", "reward", "", (1.0,)),
        ("feedback:error", "error", "", ()),
        ("feedback:position::0.02,0", "position", "", (0.02, 0.0)),
        ("feedback:adapt:rollback:3", "adapt", "rollback", (3.0,)),
        ("feedback:speech:finalize", "speech", "finalize", ()),
        ("feedback:speech:wrong I AM FINE", "speech", "wrong I AM FINE", ()),
        ("feedback:speech:wrong it is 7:30: late", "speech", "wrong it is 7:30: late", ()),
        ("feedback:speech:word KALINA K AH L IY N AH", "speech", "word KALINA K AH L IY N AH", ()),
    ],
)
def test_a_marker_may_say_feedback(text, kind, label, values):
    assert event_of(7, text) == Event(7, label, "device", kind, values)


@pytest.mark.parametrize(
    "text",
    [
        "feedback:speech:sing",
        "feedback:speech:word",
        "feedback:speech:word KALINA K AH0",
        "left",
        "feedback",
        "feedback:praise:good",
        "feedback:reward",
        "feedback:reward::nan",
        "feedback:target:up:here",
        "feedback:target:a:1:2",
        "feedback:adapt:rollback",
        "feedback:adapt:rollback:1.5",
        "feedback:marker:left",
    ],
)
def test_what_is_no_feedback_stays_a_plain_marker(text):
    assert event_of(7, text) == Event(7, text)


@pytest.mark.parametrize(
    ("kind", "label", "values", "what"),
    [
        ("target", "", (), "where it is"),
        ("label", "", (), "what was meant"),
        ("reward", "", (1.0, 2.0), "one number"),
        ("position", "", (), "where the effector is"),
        ("adapt", "sideways", (), "on, off, rollback or recalibrate"),
        ("adapt", "rollback", (), "number of a version"),
        ("error", "", (float("inf"),), "finite"),
    ],
)
def test_what_is_wrong_is_said(kind, label, values, what):
    assert what in problem_with(kind, label, values)


def moments(chunks):
    run = Pipeline(0.05).start(SIGNAL, lambda features: lambda chunk, moment: ())
    for chunk, markers, events in chunks:
        for decoded in run.feed(chunk, markers, events):
            yield decoded.moment.sample, decoded.moment.events


def samples(first, n):
    return Chunk((first + np.arange(n) + 1) / 100.0, np.zeros((n, 1), np.float32))


def test_what_is_said_now_is_known_at_the_same_block_however_samples_are_cut():
    now = Event(9, "", "client", "reward", (1.0,))
    of_the_past = Event(2, "left", "client", "label", (), heard=14)
    live = [
        (samples(0, 10), (), ()),
        (samples(10, 5), (), (now,)),
        (samples(15, 15), (), (of_the_past,)),
    ]
    at_once = [(samples(0, 30), (), (now, of_the_past))]
    found = [m for m in moments(live) if m[1]]
    assert found == [(14, (now,)), (19, (of_the_past,))]
    assert [m for m in moments(at_once) if m[1]] == found


def test_feedback_on_lsl_is_bound_to_the_sample_of_its_stamp():
    marker = Marker(0.08, "feedback:label:left")
    found = [m for m in moments([(samples(0, 20), (marker,), ())]) if m[1]]
    assert found == [(9, (Event(7, "left", "device", "label"),))]


def test_a_label_that_is_fed_back_cues_no_trial():
    trials = Trials({"left": "left"})
    events = [Event(5, "left", "client", "label"), Event(9, "left")]
    assert [t.cue for t in trials.of(events, 100.0)] == [9]
