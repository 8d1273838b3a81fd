import pytest

from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES, PHONEMES, phoneme_ids


def test_there_are_41_classes_blank_first_and_silence_last():
    assert (len(PHONEMES), len(CLASSES), len(set(CLASSES))) == (39, 41, 41)
    assert (CLASSES[0], CLASSES[1], CLASSES[40]) == (BLANK, "AA", BOUNDARY)


def test_phonemes_have_numbers():
    assert phoneme_ids(("HH", "AH", BOUNDARY)) == (16, 3, 40)


def test_what_is_no_phoneme_is_named():
    with pytest.raises(ValueError, match="AH0, X"):
        phoneme_ids(("AH0", "B", "X"))
