import numpy as np
import pytest

from decoders.decoder import Event
from decoders.output import Prediction, Token
from decoders.pipeline import Pipeline
from devices.signal import Chunk, Signal
from devices.speech.phonemes import CLASSES
from tests.decoders.speech.spelling import Language

SIGNAL = Signal(50.0, ("e1",), "1")
PIPELINE = Pipeline(0.02, language=Language())


class Phonemes:
    """A decoding: a sample's value is the class, said every 4th block."""

    n = 0

    def __call__(self, chunk, moment):
        self.n += 1
        if self.n % 4 or not len(chunk):
            return ()
        p = np.full(len(CLASSES), 0.1 / (len(CLASSES) - 1))
        p[int(chunk.values[-1, 0])] = 0.9
        return (Prediction(CLASSES, tuple(p.tolist())),)


def phonemes(*names, first=0, gap=False):
    values = np.repeat([CLASSES.index(n) for n in names], 4).astype(np.float32)[:, None]
    return Chunk((first + np.arange(len(values))) / 50.0, values, gap)


def tokens(run, chunk, events=()):
    return [
        (d.moment.sample, o)
        for d in run.feed(chunk, events=events)
        for o in d.outputs
        if isinstance(o, Token)
    ]


def texts(run, chunk, events=()):
    return [(o.text, o.is_final) for _, o in tokens(run, chunk, events)]


def start(pipeline=PIPELINE):
    return pipeline.start(SIGNAL, lambda _: Phonemes())


def test_words_follow_the_phonemes_beside_them():
    run = start()
    said = [d.outputs for d in run.feed(phonemes("N", "OW", "|")) if d.outputs]
    assert [type(o).__name__ for o in said[0]] == ["Prediction", "Token"]
    assert texts(start(), phonemes("N", "OW", "|")) == [("N", False), ("NOW", False), ("NOW", True)]
    assert run.language == "abcdef012345"


def test_a_run_without_a_language_says_phonemes_alone():
    run = start(Pipeline(0.02))
    assert tokens(run, phonemes("N", "OW", "|")) == []
    assert run.language == ""


def test_a_language_is_loaded_once_whatever_gaps_there_are():
    Language.loads.clear()
    run = start()
    for i in range(3):
        tokens(run, phonemes("N", "OW", first=20 * i, gap=i > 0))
    assert Language.loads == ["language"]


def test_a_gap_takes_back_what_was_not_final_and_no_item_comes_again():
    run = start()
    before = tokens(run, phonemes("HH", "AY", "|", "N", "OW"))
    after = tokens(run, phonemes("Y", "EH", "S", "|", first=100, gap=True))
    open_item = before[-1][1].item
    assert (after[0][1].item, after[0][1].text, after[0][1].is_final) == (open_item, "", False)
    assert [o.text for _, o in after[1:]] == ["Y", "YEH", "YEHS", "YEHS"]
    assert not {o.item for _, o in after[1:]} & {o.item for _, o in before}
    assert sum(o.text == "" for _, o in after) == 1


def test_a_word_that_was_taught_is_known_after_a_gap():
    run = start()
    taught = Event(0, "word Ayo AY OW", "client", "speech")
    tokens(run, phonemes("N", "OW"), [taught])
    assert ("Ayo", True) in texts(run, phonemes("AY", "OW", "|", first=100, gap=True))
    assert ("AYOW", True) in texts(start(), phonemes("AY", "OW", "|"))


def test_how_samples_are_cut_changes_no_token():
    names = ("HH", "AY", "|", "-", "N", "OW", "|")
    asked = Event(15, "finalize", "client", "speech")
    whole = tokens(start(), phonemes(*names), [asked])
    run, cut = start(), phonemes(*names)
    parts = [
        t
        for i in range(0, len(cut), 3)
        for t in tokens(run, Chunk(cut.times[i : i + 3], cut.values[i : i + 3]), [asked] * (i == 0))
    ]
    assert parts == whole


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("finalize", [("HH", False), ("HHAY", False), ("HHAY", True), ("N", False)]),
        ("reset", [("HH", False), ("HHAY", False), ("", False), ("N", False)]),
    ],
)
def test_what_is_asked_comes_with_the_first_block_that_knows_it(asked, said):
    event = Event(8, asked, "client", "speech")
    assert texts(start(), phonemes("HH", "AY", "-", "N"), [event]) == said
