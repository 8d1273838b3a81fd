import math
from pathlib import Path

import numpy as np
import pytest

from decoders.speech.folder import LanguageFolder, Lexeme
from decoders.speech.lexicon import Lexicon
from decoders.speech.search import Search, Weighing
from decoders.speech.ties import offsets
from decoders.speech.vocabulary import new_word_of
from devices.speech.phonemes import phoneme_ids
from tests.decoders.speech import tiny_language as tiny
from tests.decoders.speech.tiny_language import heard, silence

pytest.importorskip("flashlight.lib.text")


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    folder = LanguageFolder.read(Path(tiny.make(tmp_path_factory.mktemp("languages") / "tiny")))
    places = ("<new:2:0>", "<new:2:1>")
    return Lexicon(folder.lexemes(), places, str(folder.arpa))


def searched(lexicon, table, beam=100):
    search = Search(lexicon, Weighing(beam, 0.8, 0.0), len(table))
    for row in table:
        search.step(row)
    return search


def noisy(text, seed, sharpness=3.0):
    rng = np.random.default_rng(seed)
    logits = np.log(heard(text, 0.6)) + rng.normal(0, sharpness / 2, (len(heard(text)), 41))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(6))
def test_step_by_step_gives_what_the_whole_gives(lexicon, seed):
    from flashlight.lib.text.decoder import CriterionType, LexiconDecoder, LexiconDecoderOptions

    table = noisy("you can see the sea i want water", seed)
    stepwise = searched(lexicon, table).end()
    options = LexiconDecoderOptions(
        100, 41, 25.0, 0.8 * math.log(10), 0.0, -math.inf, 0.0, False, CriterionType.CTC
    )
    whole = LexiconDecoder(options, lexicon.tree, lexicon.model, 40, 0, -1, [], False)
    log = (np.log(np.maximum(table, 1e-8)) + offsets(*table.shape)).astype(np.float32)
    results = whole.decode(log.ctypes.data, *log.shape)
    best = max(results, key=lambda r: r.score)
    assert stepwise.texts(1)[0] == tuple(w for w in best.words if w >= 0)
    assert stepwise.scores[0] == best.score


@pytest.mark.parametrize("seed", range(6))
def test_what_is_forgotten_does_not_change_what_follows(lexicon, seed):
    table = np.concatenate([noisy("you can see the sea", seed), noisy("i want water", seed + 9)])
    kept = searched(lexicon, table, beam=4)
    search = Search(lexicon, Weighing(4, 0.8, 0.0), len(table))
    dropped = ()
    for row in table:
        search.step(row)
        readings = search.beam()
        alike = (readings.words == readings.words[0]) & (readings.words >= 0)
        n = int(np.logical_and.accumulate(alike, axis=1).sum(axis=1).min())
        shared = readings.texts(1)[0][:n]
        if n and search.forget(readings, n):
            dropped += shared
    assert dropped, "something was forgotten"
    rest, all_ = search.end(), kept.end()
    assert [dropped + words for words in rest.texts(4)] == all_.texts(4)
    n = len(dropped)
    np.testing.assert_array_equal(rest.lasts[0], all_.lasts[0, n:])
    np.testing.assert_allclose(rest.scores - rest.scores[0], all_.scores - all_.scores[0])


def test_words_know_their_steps_and_how_well_they_were_heard(lexicon):
    table = np.concatenate([silence(2), heard("i", 0.9), heard("want", 0.5)])
    search = searched(lexicon, table)
    beam = search.beam()
    assert [lexicon.word(w) for w in search.best()] == ["i", "want"]
    assert beam.texts(1) == [search.best()]
    assert beam.firsts[0, :2].tolist() == [2, 6]
    assert beam.lasts[0, :2].tolist() == [4, 14]
    assert beam.heard[0, :2] == pytest.approx(np.array([0.9, 0.5]))


def test_the_best_reading_has_a_word_as_soon_as_it_ends(lexicon):
    table = heard("i want")
    ends = np.flatnonzero(table.argmax(axis=1) == 40)
    for end, words in zip(ends, (["i"], ["i", "want"]), strict=True):
        search = searched(lexicon, table[: end + 1])
        assert [lexicon.word(w) for w in search.best()] == words


def test_the_likely_readings_are_those_of_the_beam(lexicon):
    search = searched(lexicon, noisy("you can see the sea", 1))
    beam = search.beam()
    likely = search.beam(6.0)
    n = int((beam.scores >= beam.scores[0] - 6.0).sum())
    assert 1 < len(likely) == n < len(beam)
    assert likely.texts(n) == beam.texts(n)
    np.testing.assert_array_equal(likely.heard[:, 0], beam.heard[:n, 0])


def test_before_any_word_there_is_a_reading_without_one(lexicon):
    search = searched(lexicon, silence(2))
    assert search.best() == ()
    assert search.beam().texts(1) == [()]


def test_of_words_that_sound_alike_and_that_no_model_knows_one_is_kept():
    said = phoneme_ids(("N", "OW"))
    same = Lexicon([Lexeme("no", said), Lexeme("know", said)], (), None)
    assert searched(same, heard("no")).end().texts(9) == [(0,), ()]


def test_a_new_word_is_held_and_let_go(lexicon):
    table = heard("zorb", said={"zorb": "Z AO R B"})
    zorb = (new_word_of("zorb Z AO R B"),)
    path = [*zorb[0].pronunciations[0], 40]

    def found():
        return [lexicon.word(w) for w in searched(lexicon, table).end().texts(1)[0]]

    before = found()
    lexicon.hold(zorb)
    assert found() == ["zorb"]
    lexicon.hold(())
    assert found() == before != ["zorb"]
    assert lexicon.tree.search(path).labels == []
    lexicon.hold(zorb)
    assert found() == ["zorb"]
    lexicon.hold(())


def test_a_new_word_may_sound_like_one_that_is_known(lexicon):
    ann = (new_word_of("Cann K AE N"),)
    scores = lexicon.tree.search([*ann[0].pronunciations[0], 40]).scores
    lexicon.hold(ann)
    texts = searched(lexicon, heard("can")).end().texts(2)
    assert {lexicon.word(w) for (w,) in texts} == {"can", "Cann"}
    lexicon.hold(())
    assert lexicon.tree.search([*ann[0].pronunciations[0], 40]).scores == scores
