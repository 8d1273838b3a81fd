import os
import threading

import pytest

from decoders.speech import kenlm_file
from decoders.speech.lexicon import Lexicon
from decoders.storage import ArtifactError
from tests.decoders.speech import tiny_language as tiny

pytest.importorskip("flashlight.lib.text")


@pytest.fixture
def arpa(tmp_path):
    folder = tmp_path / "tiny"
    tiny.make(folder)
    return folder / "ngram.arpa"


def load(path):
    return Lexicon([], ("<new:2:0>",), str(path))


def test_a_model_is_read_in_silence(arpa, capfd):
    assert load(arpa).n_places == 1
    assert capfd.readouterr() == ("", "")


def test_a_warning_is_heard(arpa, capfd):
    lines = arpa.read_text().replace("ngram 1=23", "ngram 1=22").splitlines(keepends=True)
    arpa.write_text("".join(line for line in lines if "<unk>" not in line))
    load(arpa)
    said = capfd.readouterr().err
    assert said == "The ARPA file is missing <unk>.  Substituting log10 probability -100.\n"


def test_what_others_say_meanwhile_is_heard(arpa, capfd, monkeypatch):
    import flashlight.lib.text.decoder.kenlm as flashlight

    true = flashlight.KenLM

    def busy(path, dictionary):
        os.write(2, b"Reading is what another thread does\n")
        return true(path, dictionary)

    monkeypatch.setattr(flashlight, "KenLM", busy)
    load(arpa)
    assert capfd.readouterr().err == "Reading is what another thread does\n"


def test_several_threads_leave_the_standard_error_as_it_was(arpa, capfd):
    threads = [threading.Thread(target=load, args=(arpa,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_without_a_standard_error_it_is_read_all_the_same(arpa, monkeypatch):
    closed = os.open(os.devnull, os.O_WRONLY)
    os.close(closed)
    monkeypatch.setattr(kenlm_file, "_STDERR", closed)
    assert load(arpa).n_places == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ngram 1=23", "ngram 1=24", "ngram"),
        ("-0.9\ti see", "-0.9\ti saw", "Word saw was not seen in the unigrams"),
        ("\\data\\", "data", "first non-empty line"),
    ],
)
def test_what_kenlm_refuses_is_said_with_the_file(arpa, capfd, old, new, said):
    arpa.write_text(arpa.read_text().replace(old, new, 1))
    with pytest.raises(ArtifactError, match="no n-gram model") as refused:
        load(arpa)
    assert str(arpa) in str(refused.value)
    assert said in str(refused.value)
    assert "/lm/" not in str(refused.value)
    assert capfd.readouterr().err == ""


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.arpa"):
        load(tmp_path / "none.arpa")
