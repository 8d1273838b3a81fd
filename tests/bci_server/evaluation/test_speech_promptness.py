from pathlib import Path

import numpy as np
import pytest

from bci_server.evaluation.speech_promptness import (
    Heard,
    RightWord,
    after_deciding_phoneme,
    promptness,
)
from decoders.speech.deciding import Listener
from decoders.speech.folder import LanguageFolder
from decoders.speech.lexicon import Lexicon
from tests.decoders.speech import tiny_language as tiny

pytest.importorskip("flashlight.lib.text")

RATE_HZ, STEP = tiny.RATE_HZ, tiny.STEP
TEXT = "you can see the sea"


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    folder = tiny.make(tmp_path_factory.mktemp("languages") / "tiny")
    read = LanguageFolder.read(Path(folder))
    return Listener(Lexicon(read.lexemes(), (), str(read.arpa)))


def heard(text, late_steps, since=1):
    """A sentence whose words are shown so many steps after their last phoneme, or boundary."""
    rows, right, at = tiny.heard(text), [], 0
    for place, word in enumerate(text.split()):
        at += 2 * (len(tiny.SAID[word].split()) + 1)  # each class, and a blank after it
        step = at - 2 - 2 * since
        shown = STEP * (step + 1) - 1 + STEP * late_steps
        right.append(RightWord(place, shown, shown))
    steps = [STEP * (i + 1) - 1 for i in range(len(rows))]
    return Heard(text.split(), right, steps, rows, RATE_HZ)


def test_words_shown_with_the_phoneme_that_decides_them_are_not_late(listener):
    found = after_deciding_phoneme([heard("i want can", 0, since=0)], listener)
    assert (found["n"], found["decided"]["boundary"]) == (3, 1)
    # "i" waits a phoneme and its blank for the boundary that it did not need.
    assert found["once_said"]["stayed"]["p50"] == pytest.approx(0.16)
    assert found["once_said"]["stayed"]["within_300_ms"] == 1.0


@pytest.mark.parametrize("late_steps", [0, 2, 5, 20])
def test_a_display_that_holds_words_back_is_late_by_just_that(listener, late_steps):
    prompt = after_deciding_phoneme([heard(TEXT, 0)], listener)
    late = after_deciding_phoneme([heard(TEXT, late_steps)], listener)
    assert late["decided"] == prompt["decided"]
    for name in ("first", "stayed"):
        for percent in ("p50", "p90", "p95"):
            assert late[name][percent] - prompt[name][percent] == pytest.approx(0.08 * late_steps)
    once = late["once_said"]["stayed"]
    assert once["within_300_ms"] == (1.0 if late_steps <= 3 else 0.0)


def test_a_word_that_is_decided_before_it_is_said_counts_from_there(listener):
    found = after_deciding_phoneme([heard("you can", 0)], listener)
    assert found["decided"]["before_last"] == 2
    # Y of "you" is one phoneme and a blank before its last, K of "can" two of each.
    assert found["stayed"]["p50"] == pytest.approx((0.16 + 0.32) / 2)
    assert found["once_said"]["stayed"]["p50"] == 0.0


def test_words_that_nothing_decides_count_from_their_last_phoneme(listener):
    found = after_deciding_phoneme([heard("know", 5)], listener)
    assert found["decided"]["never"] == 1
    assert found["stayed"]["p50"] == pytest.approx(0.4)


def test_sentences_that_cannot_be_said_or_are_not_right_have_no_words(listener):
    one = heard("you can", 0)
    unsaid = Heard(["§§§"], one.right[:1], one.steps, one.probabilities, RATE_HZ)
    wrong = Heard(one.meant, [], one.steps, one.probabilities, RATE_HZ)
    short = Heard(one.meant, one.right, one.steps[:2], one.probabilities[:2], RATE_HZ)
    assert after_deciding_phoneme([unsaid, wrong, short], listener) is None


def test_the_interval_is_that_of_sentences():
    found = promptness([[0.1, 0.1], [], [0.5, 0.5]])
    assert (found["p50"], found["within_300_ms"]) == (pytest.approx(0.3), 0.5)
    assert found["ci95"] == [0.0, 1.0]
    assert promptness([list(np.full(9, 0.3))])["within_300_ms"] == 1.0
