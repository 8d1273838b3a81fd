from dataclasses import replace

import numpy as np
import pytest

from decoders.adapting.adaptation import Ground
from decoders.adapting.labelled import Labelled
from decoders.decoder import Moment
from decoders.models.lda import Lda
from devices.signal import Event, Signal
from tests.decoders.drifting import CLASSES, TRIALS

GROUND = Ground(
    decoder=Lda(),
    labels=CLASSES,
    unit="",
    weights={},
    features=Signal(10.0, ("a",), "1"),
    trials=TRIALS,
    rate_hz=10.0,
    hop=1,
)


def take(labelled, events, said, n=40):
    """Give `n` rows whose value is their sample; return the lots, and when each was complete."""
    lots = []
    for sample in range(n):
        heard = tuple(e for e in events if e.known == sample)
        row = np.array([float(sample)])
        moment = Moment(sample, sample / 10.0, heard)
        lots += [(sample, lot) for lot in labelled.take(row, said(sample), moment)]
    return lots


def even(sample):
    return (0.5, 0.5)


def test_a_cue_says_which_rows_and_what_they_were():
    ((at, lot),) = take(Labelled(GROUND, "cues"), [Event(5, "R")], even)
    assert (at, lot.label, lot.first, lot.last) == (15, 1, 5, 15)
    assert lot.rows[:, 0].tolist() == list(range(5, 16))


@pytest.mark.parametrize("heard", [20, 30])
def test_a_told_label_counts_back_from_its_sample_whenever_it_comes(heard):
    told = Event(20, "left", "client", "label", (), heard)
    ((at, lot),) = take(Labelled(GROUND, "feedback"), [told], even)
    assert (at, lot.label, lot.first, lot.last) == (heard, 0, 10, 20)


def test_labels_of_other_classes_and_plain_markers_tell_nothing():
    events = [Event(20, "up", "client", "label"), Event(21, "left")]
    assert not take(Labelled(GROUND, "feedback"), events, even)


@pytest.mark.parametrize(("evidence", "label"), [("sum", 0), ("newest", 1)])
def test_its_own_decision_is_that_of_the_sessions_trials(evidence, label):
    ground = replace(GROUND, trials=replace(TRIALS, evidence=evidence))
    labelled = Labelled(ground, "own", confidence=0.0)

    def turning(sample):
        return (0.4, 0.6) if sample == 15 else (0.9, 0.1)

    ((_, lot),) = take(labelled, [Event(5, "R")], turning)
    assert lot.label == label


def test_after_a_gap_rows_that_waited_are_gone():
    labelled = Labelled(GROUND, "cues")
    assert not take(labelled, [Event(5, "R")], even, n=10)
    labelled.forget()
    assert not take(labelled, [], even)
