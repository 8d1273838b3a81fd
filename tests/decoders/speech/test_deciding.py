from pathlib import Path

import pytest

from decoders.speech.deciding import Listener
from decoders.speech.folder import LanguageFolder
from decoders.speech.lexicon import Lexicon, NewWord
from devices.speech.phonemes import BOUNDARY, phoneme_ids
from tests.decoders.speech import tiny_language as tiny

pytest.importorskip("flashlight.lib.text")


def lexicon(folder):
    read = LanguageFolder.read(Path(folder))
    return Lexicon(read.lexemes(), ("<new:2:0>", "<new:2:1>"), str(read.arpa))


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return lexicon(tiny.make(tmp_path_factory.mktemp("languages") / "tiny"))


def said(text):
    return [phoneme_ids((*tiny.SAID[word].split(), BOUNDARY)) for word in text.split()]


def decided(lexicon, text):
    """Return by which of its own classes, from 0 on, each word is decided."""
    words, begin, found = said(text), 0, []
    for classes, by in zip(words, Listener(lexicon).decide(text.split(), words), strict=True):
        found.append(None if by is None else by - begin)
        begin += len(classes)
    return found


def test_a_word_is_decided_where_no_other_is_left_that_is_nearly_as_likely(known):
    # After "want", candy is .89 of what begins with K, and all of what goes on with D.
    assert decided(known, "i want candy") == [0, 0, 3]
    # After "you" nothing but "can" is likely that begins with K.
    assert decided(known, "you can") == [0, 0]


def test_a_word_in_a_longer_and_likelier_one_is_decided_by_its_boundary(known):
    assert decided(known, "i want can")[-1] == 3


def test_a_guess_that_is_right_decides_nothing_before_it_is_sure(known):
    # "no" is the likeliest word all along, .72 against "know".
    assert decided(known, "no") == [None]


def test_a_word_that_another_one_like_it_stays_likelier_than_is_never_decided(known):
    assert decided(known, "know the sea") == [None, 0, 0]


def test_words_that_sound_alike_may_be_decided_by_the_next(tmp_path, monkeypatch):
    followed = tiny._ARPA.replace("ngram 2=14", "ngram 2=15")
    followed = followed.replace("-2.1\tknow\t", "-1.9\tknow\t")
    followed = followed.replace("-0.7\ti know", "-0.7\ti know\n-0.05\tknow the")
    monkeypatch.setattr(tiny, "_ARPA", followed)
    assert decided(lexicon(tiny.make(tmp_path / "tiny")), "know the") == [3, 0]


def test_what_is_in_no_lexicon_is_never_decided_and_the_rest_goes_on(known):
    words = [*said("i"), phoneme_ids(("Z", "UH", BOUNDARY)), *said("want")]
    assert Listener(known).decide(["i", "zu", "want"], words) == [0, None, 6]


def test_a_word_that_was_added_counts_among_those_that_begin_so(known):
    assert decided(known, "you can")[1] == 0
    known.hold((NewWord("cantor", (phoneme_ids(("K", "AE", "N", "T", "ER")),), ""),))
    try:
        assert known.beginning(phoneme_ids(("K",)), 1) == [4, 12]
        # A level-2 word: 10⁻³ after a word that it never follows.
        assert decided(known, "i want candy")[-1] == 3
    finally:
        known.hold(())
