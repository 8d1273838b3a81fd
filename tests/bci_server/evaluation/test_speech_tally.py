import json
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from bci_server.cli.score_table import score_lines
from bci_server.evaluation.evaluate import Controls, evaluate
from decoders.output import Token
from decoders.stage import Mismatch
from devices.signal import Marker
from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES
from devices.speech.pronunciation import phonemes_of, pronounce
from tests.bci_server.test_speech_session import PIPELINE, Read, model
from tests.decoders.made import Made
from tests.decoders.speech.spelling import Language
from tests.decoders.speech.test_running import SIGNAL

TEXTS = ("yes", "no thanks", "water", "good night", "my name", "come here")
WORDS = sorted({word for text in TEXTS for word in text.split()})


class Dictionary(Language):
    """Knows the words of the sentences by their phonemes."""

    def load(self):
        return Known()


class Patient:
    """Knows each word once it has heard its last phoneme; `more` classes later."""

    def __init__(self, more=0):
        self.more = more

    def decide(self, words, said):
        ends = np.cumsum([len(classes) for classes in said])
        return [int(end) - 2 + self.more for end in ends]


class Known:
    hash = "abcdef012345"

    def listener(self):
        return Patient()

    def start(self, rate_hz, hop):
        speaking = Language().load().start(rate_hz, hop)
        speaking.words |= {pronounce(word): word for word in WORDS}
        return speaking


@dataclass(frozen=True)
class Wavering(Dictionary):
    """Shows each interim token at so many blocks after it, as it is or as another text."""

    shows: tuple[tuple[int, str], ...] = ((0, ""),)
    more: int = 0

    def load(self):
        return self

    def listener(self):
        return Patient(self.more)

    hash = "abcdef012345"

    def start(self, rate_hz, hop):
        return Showing(Known().start(rate_hz, hop), self.shows)


@dataclass
class Showing:
    speaking: Any
    shows: tuple[tuple[int, str], ...]
    n: int = 0
    due: list[tuple[int, Token]] = field(default_factory=list)
    utterances: tuple[()] = ()

    def __call__(self, outputs, moment):
        self.n += 1
        for token in self.speaking(outputs, moment)[len(outputs) :]:
            times = self.shows[-1:] if token.is_final else self.shows
            self.due += [(self.n + n, replace(token, text=to or token.text)) for n, to in times]
        now = [token for at, token in self.due if at <= self.n]
        self.due = [each for each in self.due if each[0] > self.n]
        return [*outputs, *now]


KNOWING = replace(PIPELINE, language=Dictionary())


def spoken(said, texts=TEXTS, between=()):
    """A recording in which `said` is decoded of the sentences, and `between` after each."""
    classes, markers = [], []
    for text, phonemes in zip(texts, said, strict=True):
        begin = 4 * len(classes)
        steps = [p for each in phonemes for p in (each, BLANK)]
        classes += [BLANK, *steps]
        markers += [Marker(begin / 50, f"say:{text}"), Marker(4 * len(classes) / 50, "said")]
        classes += [BLANK] * 6
        classes += [p for each in between for p in (each, BLANK)]
        classes += [BLANK] * 6
    values = np.repeat([CLASSES.index(c) for c in classes], 4)[:, None]
    return Made(values, SIGNAL, tuple(markers))


RIGHT = [phonemes_of(text) for text in TEXTS]


def scores(made, pipeline=KNOWING, controls=None):
    result = evaluate(model(pipeline), pipeline, Read(), [made], controls=controls)
    assert result.n_trials == result.metrics["n"] + result.metrics["n_not_pronounced"]
    return result.metrics


def test_what_is_said_as_it_was_meant_has_no_error():
    found = scores(spoken(RIGHT))
    assert (found["phoneme_error_rate"], found["n"]) == (0.0, 6)
    assert found["n_phonemes"] == sum(map(len, RIGHT))
    assert (found["words"]["word_error_rate"], found["words"]["n_words"]) == (0.0, 10)
    assert found["words"]["texts"][1] == {"meant": "no thanks", "said": "no thanks"}
    assert found["chance"] > 0.5
    assert found["words"]["chance"] >= 1.0


def test_each_wrong_phoneme_counts_once_and_spoils_its_word():
    said = [list(phonemes) for phonemes in RIGHT]
    said[0][0] = "W"  # yes: another phoneme, another word
    del said[2][1]  # water: one is missing
    said[3].insert(0, "AH")  # good: one too many
    found = scores(spoken(said))
    assert found["phoneme_error_rate"] == pytest.approx(3 / found["n_phonemes"])
    low, high = found["ci95"]
    assert 0 <= low < found["phoneme_error_rate"] < high
    assert found["words"]["word_error_rate"] == pytest.approx(3 / 10)
    low, high = found["words"]["ci95"]
    assert 0 <= low < 3 / 10 < high


def test_permuted_sentences_bring_the_scores_to_chance():
    found = scores(spoken(RIGHT), controls=Controls(permute_seed=3))
    assert found["phoneme_error_rate"] > 0.5
    assert found["words"]["word_error_rate"] >= 1.0


def test_words_outside_of_sentences_are_counted_there_alone():
    found = scores(spoken(RIGHT, between=("HH", "AY", BOUNDARY)))
    assert found["words"]["word_error_rate"] == 0.0
    outside = found["words"]["outside"]
    assert outside["n"] == 6
    assert outside["per_minute"] == pytest.approx(6 / outside["minutes"])


def test_delays_are_reckoned_from_the_end_of_the_word_and_changes_of_mind_counted():
    found = scores(spoken(RIGHT))["words"]
    # Words are shown phoneme by phoneme, each a change of mind, and final with the boundary.
    lengths = [len(pronounce(word)) for text in TEXTS for word in text.split()]
    assert found["retracted"] == pytest.approx(sum(n - 1 for n in lengths) / len(lengths))
    assert found["final_delay_s"] == {"p50": 0.0, "p95": 0.0}
    assert found["interim_delay_s"]["p50"] == pytest.approx(-0.16)


def after_phoneme(*shows, said=RIGHT):
    return scores(spoken(said), replace(PIPELINE, language=Wavering(shows=shows)))["words"][
        "after_phoneme"
    ]


def test_how_soon_a_word_is_shown_is_reckoned_from_its_last_phoneme():
    at_once = {"p50": 0.0, "p90": 0.0, "p95": 0.0, "within_300_ms": 1.0, "ci95": [1.0, 1.0]}
    assert after_phoneme((0, "")) == {"n": 10, "first": at_once, "stayed": at_once}
    late = after_phoneme((20, ""))  # rows of 20 ms
    assert late["first"]["p50"] == late["stayed"]["p95"] == pytest.approx(0.4)
    assert late["first"]["within_300_ms"] == 0.0


def test_a_word_that_was_taken_back_was_shown_sooner_than_it_stayed():
    found = after_phoneme((0, ""), (2, "?"), (4, ""))
    assert found["first"]["p90"] == 0.0
    assert found["stayed"]["p50"] == pytest.approx(0.08)


def after_deciding(*shows, more=0, controls=None):
    pipeline = replace(PIPELINE, language=Wavering(shows=shows, more=more))
    return scores(spoken(RIGHT), pipeline, controls)["words"]["after_deciding_phoneme"]


def test_what_decides_a_word_is_heard_by_the_language_and_a_display_that_waits_is_late():
    at_once = after_deciding((0, ""))
    assert (at_once["n"], at_once["decided"]["last"]) == (10, 10)
    assert at_once["stayed"]["p95"] == 0.0
    late = after_deciding((20, ""))  # rows of 20 ms
    assert late["decided"] == at_once["decided"]
    assert late["first"]["p50"] == late["stayed"]["p95"] == pytest.approx(0.4)
    assert late["stayed"]["within_300_ms"] == late["once_said"]["stayed"]["within_300_ms"] == 0.0


def test_a_word_may_be_decided_before_it_is_said_or_after():
    sooner, later = after_deciding((0, ""), more=-1), after_deciding((0, ""), more=1)
    assert (sooner["decided"]["before_last"], later["decided"]["boundary"]) == (10, 10)
    assert sooner["stayed"]["p50"] == pytest.approx(0.16)  # a phoneme and a blank
    assert sooner["once_said"]["stayed"]["p50"] == 0.0
    assert later["stayed"]["p50"] == later["once_said"]["stayed"]["p50"] == pytest.approx(-0.16)


def test_of_exchanged_sentences_nothing_is_decided():
    assert after_deciding((0, ""), controls=Controls(permute_seed=3)) is None


def test_only_words_that_are_right_have_a_phoneme_that_decides_them():
    said = [list(phonemes) for phonemes in RIGHT]
    said[0][0] = "W"
    del said[1][0]  # no thanks: one of two is right
    assert after_phoneme((0, ""), said=said)["n"] == 8
    assert after_phoneme((0, ""), said=[["W"]] * 6) is None


def test_without_a_language_phonemes_alone_are_scored():
    found = scores(spoken(RIGHT), replace(PIPELINE, language=None))
    assert found["phoneme_error_rate"] == 0.0
    assert "words" not in found


def test_a_sentence_that_cannot_be_said_is_in_no_score_of_phonemes():
    texts = ("yes", "вода", *TEXTS[2:])
    found = scores(spoken(RIGHT, texts), replace(PIPELINE, language=None))
    assert (found["n"], found["n_not_pronounced"]) == (5, 1)
    assert found["phoneme_error_rate"] == 0.0


def test_what_cannot_be_scored_is_said():
    made = spoken(RIGHT)
    with pytest.raises(Mismatch, match=r"no whole sentence.*there were none"):
        scores(Made(made.values, SIGNAL))
    with pytest.raises(Mismatch, match="--permute-labels"):
        scores(made, controls=Controls(shift_s=5.0))


def test_the_first_seconds_may_be_left_out():
    whole = scores(spoken(RIGHT))
    assert scores(spoken(RIGHT), controls=Controls(skip_s=3.0))["n"] == whole["n"] - 2


def test_it_can_be_read_and_is_plain_json():
    found = scores(spoken(RIGHT, between=("HH", "AY", BOUNDARY)))
    document = json.loads(msgspec.json.encode(found))
    assert document == found
    lines = score_lines(document)
    assert lines[0].startswith(f"phoneme error rate 0.0% of {found['n_phonemes']} phonemes in 6")
    assert lines[1].startswith("word error rate 0.0% of 10 words")
    assert lines[4].startswith("after the last phoneme of 10 words that were right: shown after")
    assert lines[5].startswith("after the phoneme that decides each of 10 (10 by its last)")
    assert lines[-1].startswith("6 words in ")
