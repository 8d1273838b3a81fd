import itertools

import numpy as np

from devices.simulation.articulators import ARTICULATORS, DURATIONS_MS, EFFORT, gestures
from devices.speech.phonemes import PHONEMES


def test_every_phoneme_has_gestures_and_a_length():
    assert set(DURATIONS_MS) == set(PHONEMES)
    for phoneme in PHONEMES:
        rows = gestures(phoneme)
        assert rows.shape[1] == len(ARTICULATORS)
        assert (rows[:, EFFORT] == 1).all()
        assert np.nanmax(np.abs(rows)) <= 1


def test_no_two_phonemes_are_said_alike():
    for one, other in itertools.combinations(PHONEMES, 2):
        a, b = gestures(one), gestures(other)
        assert a.shape != b.shape or np.nanmax(np.abs(np.nan_to_num(a) - np.nan_to_num(b))) > 0.25


def test_voicing_parts_pairs_and_nothing_else_does():
    pairs = [("P", "B"), ("T", "D"), ("K", "G"), ("F", "V"), ("S", "Z"), ("TH", "DH")]
    for voiceless, voiced in pairs:
        differs = np.nan_to_num(gestures(voiceless)) != np.nan_to_num(gestures(voiced))
        assert {ARTICULATORS[k] for k in np.flatnonzero(differs[0])} == {"voice", "breath"}
