import numpy as np
import pytest

from devices.simulation.articulators import gestures
from devices.simulation.voice import N_BANDS, VOICE, acoustics, band_edges_hz, frames
from devices.speech.phonemes import PHONEMES

CENTRES_HZ = band_edges_hz()[1:-1]


def heard(phoneme, part=0):
    parameters = np.nan_to_num(acoustics(phoneme)[part : part + 1].copy(), nan=1000.0)
    parameters[:, -1] = 110.0
    return dict(zip(VOICE, frames(parameters)[0].tolist(), strict=True))


def bands(phoneme, part=0):
    return np.array([heard(phoneme, part)[name] for name in VOICE[:N_BANDS]])


@pytest.mark.parametrize("phoneme", PHONEMES)
def test_what_is_moved_and_what_is_heard_have_the_same_parts(phoneme):
    assert len(acoustics(phoneme)) == len(gestures(phoneme))
    assert np.isfinite(bands(phoneme)).all()


def test_silence_is_silent():
    assert set(heard(None).values()) == {0.0}


@pytest.mark.parametrize(("phoneme", "f1", "f2"), [("IY", 270, 2290), ("AA", 730, 1090)])
def test_vowels_have_their_formants_where_they_were_measured(phoneme, f1, f2):
    fine = bands(phoneme)
    first, second = (int(np.abs(CENTRES_HZ - hz).argmin()) for hz in (f1, f2))
    assert fine.argmax() in range(first - 1, first + 2)
    # It stands out against what is above it.
    assert fine[second] > fine[second + 3]


def test_sibilants_are_high_and_unvoiced_vowels_low_and_voiced():
    s, sh, ah = (bands(p) for p in ("S", "SH", "AH"))
    assert CENTRES_HZ[s.argmax()] > CENTRES_HZ[sh.argmax()] > 2000
    assert CENTRES_HZ[ah.argmax()] < 1000
    assert heard("S")["voicing"] == heard("S")["f0"] == 0
    assert heard("AH")["voicing"] == 1
    assert heard("AH")["f0"] == 110


def test_voicing_parts_pairs():
    for voiceless, voiced in [("P", "B"), ("S", "Z"), ("K", "G")]:
        assert heard(voiceless)["voicing"] == 0
        assert heard(voiced)["voicing"] > 0.5
