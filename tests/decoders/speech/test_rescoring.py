import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from decoders.speech import rescoring
from decoders.speech.folder import NEXT_WORD, LanguageFolder, write_manifest
from decoders.speech.language import Language
from decoders.speech.lexicon import Lexicon
from decoders.speech.next_word import SPECIAL, NextWord, write
from decoders.speech.rescoring import Rescoring
from decoders.speech.search import LN_10, Readings
from decoders.storage import ArtifactError
from tests.decoders.speech import tiny_language as tiny
from tests.decoders.speech.tiny_language import HOP, RATE_HZ, finals, heard, run, silence

pytest.importorskip("flashlight.lib.text")

WORDS = (*SPECIAL, "i", "you", "no", "know", "want", "water", "can", "see", "the", "sea")
AFTER = {"<s>": "you", "i": "want", "you": "know", "want": "water", "know": "</s>", "no": "i"}
SHARE, WEIGHT = 0.5, 0.7


def arrays():
    """A network whose state is the last word: sure of what `AFTER` says, and of nothing else."""
    n = len(WORDS)
    likely = np.zeros((n, n))
    for word, after in AFTER.items():
        likely[WORDS.index(after), WORDS.index(word)] = 8.0
    gates = np.zeros((3 * n, n))
    gates[2 * n :] = 20.0 * np.eye(n)
    return {
        "embedding": np.eye(n),
        "input": gates,
        "input bias": np.concatenate([np.zeros(n), np.full(n, -20.0), np.zeros(n)]),
        "hidden": np.zeros((3 * n, n)),
        "hidden bias": np.zeros(3 * n),
        "head": likely,
        "head bias": np.zeros(n),
        "ends": np.array([n]),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = Path(tiny.make(tmp_path_factory.mktemp("languages") / "tiny"))
    write(folder / NEXT_WORD, WORDS, arrays())
    n_words = len(tiny.SAID)
    write_manifest(folder, order=2, n_words=n_words, new_words=(2, 2, 2, 2), about={})
    return str(folder)


@pytest.fixture(scope="module")
def network(folder):
    return NextWord.read(Path(folder) / NEXT_WORD)


@pytest.fixture(scope="module")
def lexicon(folder):
    read = LanguageFolder.read(Path(folder))
    return Lexicon(read.lexemes(), ("<new:2:0>", "<new:2:1>"), str(read.arpa))


def said(language, *texts, words=None, events=()):
    table = [silence(3)]
    for text in texts:
        table += [heard(text, said={**tiny.SAID, **(words or {})}), silence(12)]
    return run(language.load().start(RATE_HZ, HOP), np.concatenate(table), events)


def readings(lexicon, *texts, scores=None):
    numbers = {lexicon.word(i): i for i in range(len(lexicon))}
    width = max(len(text.split()) for text in texts)
    words = np.full((len(texts), width), -1, np.int32)
    for row, text in zip(words, texts, strict=True):
        row[: len(text.split())] = [numbers[word] for word in text.split()]
    places = np.zeros_like(words, np.int64)
    given = np.arange(0, -len(texts), -1.0) if scores is None else np.array(scores, float)
    return Readings(given, words, places, places, places.astype(float))


def texts(lexicon, found):
    return [" ".join(map(lexicon.word, words)) for words in found.texts(len(found))]


def test_the_network_settles_what_the_n_gram_model_cannot(folder):
    assert finals(said(Language(folder), "you know")) == ["you", "no"]
    tokens = said(Language(folder, rescore=SHARE), "you know")
    assert finals(tokens) == ["you", "know"]
    shown = [(t.item, t.text) for _, t in tokens if not t.is_final]
    items = [t.item for _, t in tokens if t.is_final]
    assert shown == [(items[0], "you"), (items[1], "no")]
    last = [t for _, t in tokens if t.is_final][-1]
    assert (last.alternatives[0].text, last.segment_final) == ("no", True)


def test_a_name_that_the_network_does_not_know_is_found_as_without(folder):
    word, asked = {"zorb": "Z AO R B"}, [(100, "word Zorb Z AO R B")]
    for share in (0.0, SHARE, 0.95):
        tokens = said(Language(folder, rescore=share), "i want zorb", words=word, events=asked)
        assert finals(tokens) == ["i", "want", "Zorb"]


def test_a_word_weighs_what_the_mixture_gives_it(lexicon, network):
    before = readings(lexicon, "you know", "you no", "candy")
    after = Rescoring(lexicon, network, SHARE, WEIGHT)(before, [])
    model, expected = lexicon.model, {}
    for words, score in zip(before.texts(3), before.scores, strict=True):
        state, hidden, gain = model.start(False), network.start, 0.0
        for word in words:
            state, counted = model.score(state, word)
            number = np.array([network.numbers.get(lexicon.word(word), 0)])
            likely = network.log_likely(hidden, number)[0]
            if number[0]:
                gain += math.log(0.5 * 10**counted + 0.5 * math.exp(likely)) - LN_10 * counted
            hidden = network.after(hidden, number)
        ends = model.finish(state)[1]
        likely = network.log_likely(hidden, np.array([2]))[0]
        gain += math.log(0.5 * 10**ends + 0.5 * math.exp(likely)) - LN_10 * ends
        expected[words] = score + WEIGHT * gain
    assert dict(zip(after.texts(3), after.scores, strict=True)) == pytest.approx(expected)
    assert (np.diff(after.scores) <= 0).all()


def test_what_was_dropped_counts_as_what_was_said_before(lexicon, network):
    rescore = Rescoring(lexicon, network, SHARE, WEIGHT)
    whole = rescore(readings(lexicon, "i can you know", "i can you no"), [])
    (i, can), *_ = readings(lexicon, "i can").texts(1)
    rest = rescore(readings(lexicon, "you know", "you no"), [i, can])
    assert texts(lexicon, rest) == [text[6:] for text in texts(lexicon, whole)]
    np.testing.assert_allclose(np.diff(rest.scores), np.diff(whole.scores))


def test_an_utterance_that_was_dropped_in_part_ends_as_its_last_words_alone(folder):
    long = "i want water " * 6 + "you know"
    assert finals(said(Language(folder, beam=3, rescore=SHARE), long)) == long.split()


def test_no_more_is_weighed_than_fits(lexicon, network, monkeypatch):
    several = readings(lexicon, "you no", "you know", "you see", "i want", "i want water")
    rescore = Rescoring(lexicon, network, SHARE, WEIGHT)
    assert len(rescore(several, [])) == 5
    monkeypatch.setattr(rescoring, "MOST_WORDS", 4)  # the root, you, no, know
    assert sorted(texts(lexicon, rescore(several, []))) == ["you know", "you no"]
    monkeypatch.setattr(rescoring, "MOST_WORDS", 1)
    assert texts(lexicon, rescore(several, [])) == ["you no"]


def test_a_small_share_changes_little(lexicon, network):
    several = readings(lexicon, "you no", "you know", "candy")
    after = Rescoring(lexicon, network, 1e-9, WEIGHT)(several, [])
    np.testing.assert_allclose(after.scores, several.scores, atol=1e-4)
    assert texts(lexicon, after) == ["you no", "you know", "candy"]


def test_the_same_again_gives_the_same(folder):
    language = Language(folder, rescore=SHARE)
    assert said(language, "you know", "i want water") == said(language, "you know", "i want water")


def test_it_runs_without_torch(folder):
    line = (
        "import sys; from decoders.speech.language import Language; "
        f"Language({folder!r}, rescore=0.5).load().start(1000.0, 20); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_what_is_asked_for_must_be_there(folder, tmp_path):
    for keys, problem in (
        ({"rescore": 1.0}, "below 1"),
        ({"rescore": 0.3, "mode": "words"}, "has"),
    ):
        with pytest.raises(ValueError, match=problem):
            Language(folder, **keys)
    plain = tiny.make(tmp_path / "plain")
    with pytest.raises(ArtifactError, match="--neural"):
        Language(plain, rescore=0.3).load()
    assert Language(plain).load().hash != Language(folder).load().hash
    assert Language(folder, rescore=0.3).load().hash != Language(folder).load().hash
