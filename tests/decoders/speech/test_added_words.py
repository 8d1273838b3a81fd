"""Names that are added to a language while a session runs, and what is learned from there."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from decoders.adapting.adaptation import Adaptation
from decoders.adapting.rules.speech_recalibration import SpeechRecalibration
from decoders.artifact import Artifact
from decoders.decoder import Event
from decoders.describe import describe, describe_pipeline
from decoders.pipeline import Pipeline
from decoders.speech.language import Language
from decoders.speech.order import Order
from decoders.speech.pseudo_labels import hear
from decoders.speech.retuning import retuned
from decoders.speech.vocabulary import label_of
from decoders.stage import Mismatch
from devices.signal import Chunk
from devices.speech.phonemes import BOUNDARY, CLASSES, phoneme_ids
from devices.speech.pronunciation import phonemes_of
from tests.decoders.speech import tiny_language as tiny
from tests.decoders.speech.test_recalibration import SHIFTED, SIGNAL, TRUE, recording
from tests.decoders.speech.test_retuning import Mapped, SettlesTo

pytest.importorskip("flashlight.lib.text")

SIOBHAN = "Siobhan SH AH V AO N"
LABEL = phoneme_ids(("SH", "AH", "V", "AO", "N", BOUNDARY))
RULE = SpeechRecalibration(every=8, keep=8, fewest=4, proving=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.make(tmp_path_factory.mktemp("language") / "tiny")


def spoken(n: int) -> list[int]:
    """Return a class a row: a name, again and again, with silence around it."""
    return [0] * 16 + n * [*LABEL, *LABEL, *[0] * 16]


def order_of(language: Language, matrix: Any, events: tuple[Event, ...] = ()) -> Order:
    """Return what a session orders that hears eight utterances through a matrix."""
    pipeline = Pipeline(0.02, language=language)
    described = describe(Mapped()), describe_pipeline(pipeline)
    model = Artifact(*described, SIGNAL, CLASSES, "", {"matrix": matrix}, "0" * 64)
    adapting = replace(pipeline, adaptation=Adaptation(rules=(RULE,)))
    run = model.run(SIGNAL, adapting, Mapped())
    rows = np.eye(len(CLASSES), dtype=np.float32)[spoken(8) + [0] * 16]
    list(run.feed(Chunk(np.arange(len(rows)) / 50.0, rows), events=events))
    assert run.adaptive is not None
    order = run.adaptive.take_order()
    assert order is not None
    return order


ADDED = (Event(3, f"word {SIOBHAN}", "client", "speech"),)


def test_what_settles_knows_the_names_that_were_added_while_the_session_ran(folder: str) -> None:
    language = Language(folder, confidence=0.0)
    order = order_of(language, SHIFTED, ADDED)
    made = retuned(SettlesTo(TRUE), {"matrix": SHIFTED}, order, language)
    assert (made.n_learned, made.after) == (0, 0.0)
    with pytest.raises(Mismatch, match=r"differ from what the language makes of them by 0\.[3-9]"):
        retuned(SettlesTo(TRUE), {"matrix": SHIFTED}, replace(order, words=()), language)


def test_a_name_is_learned_as_it_was_said_not_as_it_is_written(folder: str) -> None:
    taught: list[Any] = []

    @dataclass(frozen=True)
    class Taught(Mapped):
        def tune(self, training: Any, weights: Any) -> Any:
            taught.append(training)
            return {"matrix": TRUE}

    order = order_of(Language(folder, words=(SIOBHAN,)), TRUE)
    with pytest.raises(Mismatch, match=r"which is not 0\.01 less"):  # nothing is left to learn
        retuned(Taught(), {"matrix": TRUE}, order)
    spoken = taught[0].spoken
    assert spoken[spoken[:, 0] == 0, 1].tolist() == [*LABEL, *LABEL]


def test_a_name_of_the_session_is_a_label_of_a_recording_as_it_was_said(folder: str) -> None:
    gathered = replace(recording(["yes"]), rows=np.eye(len(CLASSES))[spoken(1) + [0] * 16])
    n = len(gathered.rows)
    gathered = replace(
        gathered, samples=np.arange(n), times=np.arange(n) / 50, stretches=np.zeros(n, np.int64)
    )
    loaded = Language(folder, words=(SIOBHAN,)).load()
    (heard,) = hear(Mapped(), {"matrix": TRUE}, loaded, gathered)
    assert heard.text == "Siobhan Siobhan"
    assert heard.label == heard.path == (*LABEL, *LABEL)


def test_a_label_has_the_phonemes_that_were_given() -> None:
    yes = phoneme_ids(phonemes_of("yes please"))
    assert label_of("yes please", (SIOBHAN, "yes")) == yes
    assert label_of("Yes please, Siobhan!", (SIOBHAN,)) == (*yes, *LABEL)
    assert label_of("siobhan yes please", (SIOBHAN,)) == (*LABEL, *yes)
    assert label_of("siobhan") != LABEL
    with pytest.raises(ValueError, match="no words"):
        label_of("", (SIOBHAN,))
