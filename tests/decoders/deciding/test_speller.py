import math

import numpy as np
import pytest

from decoders.deciding.speller import Speller, characters_of, spelled, wanted
from decoders.deciding.stopping import Stopping
from decoders.deciding.trials import Trials
from decoders.decoder import Event, Moment
from decoders.output import Prediction, Token

RATE_HZ, HOP = 100.0, 10
TRIALS = Trials({"other": "other", "target": "target"}, 0.5, 0.59)
SQUARE = Speller({"r1": "AB", "r2": "CD", "c1": "AC", "c2": "BD"}, rounds=2, pause_s=1.0)
LABELS = ("other", "target")


def run(flashes, stopping=None, speller=SQUARE, seconds=20.0):
    """Feed blocks; flashes are (sample, marker, probability of target when it is answered)."""
    spelling = speller.start(TRIALS, RATE_HZ, stopping)
    answers = {(s + 50) // HOP: p for s, _, p in flashes}
    said = []
    for block in range(int(seconds * RATE_HZ) // HOP):
        sample = (block + 1) * HOP - 1
        now = tuple(Event(s, m) for s, m, _ in flashes if sample - HOP < s <= sample)
        p = answers.get(block, 0.5)
        outputs = spelling((Prediction(LABELS, (1 - p, p)),), Moment(sample, 0.0, now))
        said += [(sample, o) for o in outputs if isinstance(o, Token)]
    return said


def of(character, begin, rounds, p=0.8):
    """Return the flashes of one character, 0.2 s apart."""
    order = list(SQUARE.flashes) * rounds
    return [
        (begin + 20 * i, marker, p if character in SQUARE.flashes[marker] else 1 - p)
        for i, marker in enumerate(order)
    ]


def test_rows_and_columns_that_were_waited_for_cross_in_a_character():
    said = run([*of("C", 100, 2), *of("B", 800, 2)])
    finals = [(sample, token) for sample, token in said if token.is_final]
    assert [(t.text, t.item, t.unit) for _, t in finals] == [
        ("C", 100, "character"),
        ("B", 800, "character"),
    ]
    # The eighth flash begins at 240, and the block that answers it ends 0.59 s later.
    assert finals[0][0] == 100 + 7 * 20 + 59
    assert len(said) == 16
    assert all(0 < token.confidence <= 1 for _, token in said)
    assert {a.text for a in finals[0][1].alternatives} == set("ABD")


def test_what_comes_after_a_character_is_decided_waits_for_a_pause():
    sure = Stopping(0.05, "sum", 1.0, math.log(19))
    said = run(of("D", 100, 2, p=0.99), sure)
    assert [token.is_final for _, token in said] == [False, False, True]
    assert said[-1][1].text == "D"


def test_without_evidence_all_rounds_are_taken():
    sure = Stopping(0.05, "sum", 1.0, math.log(19))
    said = run(of("A", 100, 2, p=0.55), sure)
    assert [token.is_final for _, token in said] == [False] * 7 + [True]


def test_flashes_are_parted_by_pauses_and_known_by_the_markers_beside_them():
    events = [Event(s, m) for s, m, _ in [*of("C", 100, 1), *of("B", 800, 1)]]
    events += [Event(s, "target" if p > 0.5 else "other") for s, _, p in of("C", 100, 1)]
    first, second = characters_of(events, SQUARE, TRIALS, RATE_HZ)
    assert [f.sample for f in first] == [100, 120, 140, 160]
    assert (wanted(first, SQUARE), wanted(second, SQUARE)) == ("C", "")


def test_what_calibration_learns_from_adds_up_to_what_is_spelled_live():
    flashes = of("C", 100, 2, p=0.7)
    events = [Event(s, m) for s, m, _ in flashes]
    events += [Event(s, "target" if p > 0.5 else "other") for s, _, p in flashes]
    rows = {s: np.array([[1 - p, p]]) for s, _, p in flashes}
    ((likely, truth),) = spelled(events, rows, LABELS, SQUARE, TRIALS, RATE_HZ)
    assert SQUARE.characters[truth] == "C"
    sums = np.log(likely).sum(axis=0)
    expected = np.exp(sums - sums.max())
    token = run(flashes)[-1][1]
    assert token.text == "C"
    assert token.confidence == pytest.approx(expected.max() / expected.sum())


@pytest.mark.parametrize(
    "wrong", [{"flashes": {"r1": "AB"}}, {"flashes": {"a": "A", "b": ""}}, {"rounds": 0}]
)
def test_a_senseless_section_is_refused(wrong):
    with pytest.raises(ValueError, match="speller needs"):
        Speller(**{"flashes": SQUARE.flashes, **wrong})
