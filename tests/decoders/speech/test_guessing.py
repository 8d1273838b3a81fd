from pathlib import Path

import numpy as np
import pytest

from decoders.speech.folder import LanguageFolder
from decoders.speech.guessing import Guesses
from decoders.speech.lexicon import Lexicon, NewWord
from decoders.speech.search import Search, Weighing
from devices.speech.phonemes import phoneme_ids
from tests.decoders.speech import tiny_language as tiny
from tests.decoders.speech.tiny_language import heard, silence

pytest.importorskip("flashlight.lib.text")

WEIGHING = Weighing(100, 0.7, 1.0)


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    read = LanguageFolder.read(Path(tiny.make(tmp_path_factory.mktemp("languages") / "tiny")))
    return Lexicon(read.lexemes(), ("<new:2:0>", "<new:2:1>"), str(read.arpa))


def guessed(lexicon, text, n_classes, sure=0.99, before=(), said=tiny.SAID):
    """Return what is guessed after so many classes of a text: each word, and how likely it is."""
    search = Search(lexicon, WEIGHING, 100)
    for row in [*silence(1), *heard(text, sure, said=said)[: 2 * n_classes]]:
        search.step(row)
    guess = Guesses(lexicon, WEIGHING)(search.begun(5.0, 24), before)
    return {} if guess is None else {lexicon.word(n): share for n, share in guess.shares}


def test_words_that_begin_as_what_was_heard_share_by_how_likely_they_are_there(lexicon):
    found = guessed(lexicon, "want can", 8)  # to the N
    candy, can = 10**-0.8, 10**-1.7
    assert found["candy"] == pytest.approx(candy / (candy + can), abs=0.01)
    assert found["can"] == pytest.approx(can / (candy + can), abs=0.01)
    assert guessed(lexicon, "you can", 4)["can"] > 0.97  # K, after "you"


def test_what_was_not_heard_well_is_shared_with_what_it_may_have_been(lexicon):
    clear, unclear = (guessed(lexicon, "the no", 4, sure)["no"] for sure in (0.99, 0.3))
    assert 0 < unclear < clear < 1


def test_between_words_and_before_the_first_nothing_is_guessed(lexicon):
    assert guessed(lexicon, "you can", 3) == {}
    assert guessed(lexicon, "you can", 0) == {}


def test_words_that_the_search_has_dropped_count_as_those_before(lexicon):
    number = next(n for n in range(len(lexicon)) if lexicon.word(n) == "the")
    alone, after = guessed(lexicon, "sea", 2), guessed(lexicon, "sea", 2, before=(number,))
    assert alone["see"] > alone["sea"]
    assert after["sea"] > after["see"]


def test_a_new_word_is_guessed_like_any_other(lexicon):
    said = {**tiny.SAID, "kite": "K AY T"}
    lexicon.hold((NewWord("kite", (phoneme_ids(("K", "AY", "T")),), ""),))
    try:
        assert guessed(lexicon, "you kite", 5, said=said)["kite"] > 0.9
    finally:
        lexicon.hold(())
    assert "kite" not in guessed(lexicon, "you can", 5)


def test_the_same_again_gives_the_same_to_the_last_bit(lexicon):
    found = [guessed(lexicon, "you can", n, sure=0.4) for n in (4, 5, 6) for _ in range(2)]
    assert found[::2] == found[1::2]
    assert all(np.sum(list(each.values())) <= 1 + 1e-9 for each in found)


def test_of_many_readings_the_best_are_looked_at(lexicon):
    search = Search(lexicon, WEIGHING, 100)
    for row in heard("you can", 0.1):
        search.step(row)
    everything, few = search.begun(25.0, 1000), search.begun(25.0, 5)
    assert len(few) <= 5 < len(everything)
    assert {(each.words, each.phonemes) for each in few} <= {
        (each.words, each.phonemes) for each in everything
    }
