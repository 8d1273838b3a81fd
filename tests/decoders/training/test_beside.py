"""Orders that a process of its own works on."""

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from decoders.adapting.version_folder import VersionFolder
from decoders.adapting.versions import weights_hash
from decoders.speech.gate import Gate
from decoders.speech.language import Language
from decoders.speech.order import Kept, Order, Terms
from decoders.stage import Mismatch
from decoders.training.beside import Beside, fill, make, read
from decoders.training.job import TrainingFailed
from tests.bci_server.spoken_days import SIGNAL, SPEECH, rows, untrained
from tests.decoders.speech.tiny_language import make as make_language


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside") / "model"
    artifact = untrained()
    artifact.save(folder)
    return folder, artifact


def order(artifact, **more):
    """One that whoever knows nothing gains by: all was told, and any difference will do."""
    gate = Gate(fewest=2, most_unlike=9.0)
    terms = Terms(gate=gate, proving=1, margin=0.0, most_change=9.0)
    said = ["i can see", "you see", "no you can"]
    kept = tuple(Kept(rows([text], n), 35, text, 0.9, True) for n, text in enumerate(said))
    return replace(Order(SIGNAL, kept, terms, {}, 7, weights_hash(artifact.weights)), **more)


def test_what_a_process_makes_is_what_is_made_here_and_lies_beside_the_model(model):
    folder, artifact = model
    recipe = replace(SPEECH, tune_epochs=3)
    here = make(recipe, artifact, VersionFolder(folder, artifact.weights), order(artifact))
    file = folder.with_name("model.versions") / f"{here.hash}.safetensors"
    file.unlink()
    there = Beside(recipe, artifact, folder)(order(artifact))
    assert there.hash == here.hash
    assert there.numbers == here.numbers
    assert file.exists()
    assert {n: a.tobytes() for n, a in there.weights.items()} == {
        n: a.tobytes() for n, a in here.weights.items()
    }
    assert weights_hash({**artifact.weights, **there.weights}) == there.hash
    assert set(there.weights) == {
        "mean",
        "inverse",
        "loadings",
        "day weight",
        "day bias",
    }


def test_an_order_is_read_as_it_was_written(model, tmp_path):
    folder, artifact = model
    changed = {"day bias": np.ones((1, 16), np.float32)}
    written = order(artifact, changed=changed, words=("Zoltan", "Siobhan SH AH V AO N"))
    language = Language("english", words=("Zoltan", "Siobhan SH AH V AO N"), only=("no",))
    fill(tmp_path, SPEECH, folder, written, language)
    found = read(tmp_path)
    assert (found.decoder, found.language, found.model) == (SPEECH, language, folder)
    assert found.order.terms == written.terms
    assert found.order.parent == written.parent
    assert found.order.words == written.words
    assert found.order.features == SIGNAL
    assert found.order.changed["day bias"].tobytes() == changed["day bias"].tobytes()
    for one, other in zip(found.order.kept, written.kept, strict=True):
        assert one.rows.tobytes() == other.rows.tobytes()
        assert (one.begin, one.text, one.is_told) == (other.begin, other.text, other.is_told)


def test_a_model_that_is_not_the_one_that_decodes_is_refused(model):
    folder, artifact = model
    versions = VersionFolder(folder, artifact.weights)
    with pytest.raises(Mismatch, match=r"the version that decodes is 0123; .*: restart"):
        make(SPEECH, artifact, versions, order(artifact, parent="0123"))


def test_a_process_hears_again_what_taught_nothing(model, tmp_path):
    folder, artifact = model
    language = Language(make_language(tmp_path / "language"))
    unsure = order(artifact, terms=Terms())
    with pytest.raises(Mismatch, match=r"of 3 utterances .* settled on their rows 0 are, of 8"):
        Beside(SPEECH, artifact, folder, language)(unsure)


def test_a_process_that_refuses_or_fails_says_why(model, tmp_path):
    folder, artifact = model
    with pytest.raises(Mismatch, match="the version that decodes is 0123"):
        Beside(SPEECH, artifact, folder)(order(artifact, parent="0123"))
    with pytest.raises(TrainingFailed, match=r"exit code 1: (.|\n)*there is no model at"):
        Beside(SPEECH, artifact, tmp_path / "gone")(order(artifact))


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("hello", "last word cannot be read"),
        ('{"hash":"gone"}', "gone that it made are not beside"),
    ],
)
def test_what_a_process_says_that_is_no_answer_ends_nothing_else(model, monkeypatch, says, why):
    folder, artifact = model
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda _, **more: start([sys.executable, "-c", f"print({says!r})"], **more),
    )
    with pytest.raises(TrainingFailed, match=why):
        Beside(SPEECH, artifact, folder)(order(artifact))


def test_stopped_it_ends_at_once_and_takes_no_more(model):
    folder, artifact = model
    beside = Beside(replace(SPEECH, tune_epochs=100_000), artifact, folder)
    ended = []

    def work():
        with pytest.raises(TrainingFailed) as failed:
            beside(order(artifact))
        ended.append(str(failed.value))

    working = threading.Thread(target=work)
    working.start()
    while beside._worker is None and working.is_alive():
        working.join(0.01)
    beside.stop()
    working.join(60)
    assert ended[0].startswith("it ended with exit code -9")
    with pytest.raises(TrainingFailed, match="the session is over"):
        beside(order(artifact))
