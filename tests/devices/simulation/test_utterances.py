import itertools

import numpy as np
import pytest

from devices.simulation.articulators import ARTICULATORS, EFFORT
from devices.simulation.utterances import Speaker, in_order, shuffled
from devices.speech.everyday import sentences_of


def speaker(sentences, **fields):
    fields = {"wpm": 60.0, "silence_s": 1.0, "rate_hz": 50.0} | fields
    rng = np.random.default_rng(3)
    return Speaker(sentences, rng=rng, **fields)


def spoken(position):
    return position[:, EFFORT] > 0.5


def test_it_speaks_between_the_marks_and_rests_outside():
    said = speaker(in_order(["I want some water", "No"])).next(3000)
    labels = [label for _, label in said.marks]
    assert labels[:4] == ["say:I want some water", "said", "say:No", "said"]
    begins, ends = (
        [at for at, label in said.marks if (label == "said") is end] for end in (False, True)
    )
    inside = np.zeros(3000, bool)
    for begin, end in zip(begins, ends, strict=False):
        inside[begin:end] = True
        assert spoken(said.position[begin:end]).any()
    assert not spoken(said.position[: ends[-1]][~inside[: ends[-1]]]).any()


@pytest.mark.parametrize("wpm", [30.0, 60.0, 150.0])
def test_it_says_as_many_words_a_minute_as_it_should(wpm):
    sentences = sentences_of()
    said = speaker(in_order(sentences), wpm=wpm).next(50 * 1200)
    begins = [at for at, label in said.marks if label != "said"]
    ends = [at for at, label in said.marks if label == "said"]
    n_words = sum(len(sentences[k % len(sentences)].split()) for k in range(len(ends)))
    # What is said between the marks, less the waiting: 0.5 s before and 0.45 s after.
    minutes = sum(e - b - 0.95 * 50 for b, e in zip(begins, ends, strict=False)) / 50 / 60
    assert n_words / minutes == pytest.approx(wpm, rel=0.05)


def test_silence_lies_between_sentences_as_long_as_asked():
    said = speaker(in_order(["No"]), silence_s=3.0).next(50 * 600)
    ends = [at for at, label in said.marks if label == "said"]
    begins = [at for at, label in said.marks if label != "said"][1:]
    silent_s = np.array([b - e for b, e in zip(begins, ends, strict=False)]) / 50
    assert silent_s.min() >= 1.45
    assert silent_s.max() <= 4.55
    assert silent_s.mean() == pytest.approx(3.0, rel=0.1)


def test_a_speaker_without_sentences_says_nothing():
    said = speaker(None).next(1000)
    assert said.marks == ()
    assert not said.position.any()


def test_articulators_reach_their_places_and_blend():
    said = speaker(in_order(["mama"]), wpm=40.0).next(400)
    lips, voice = (said.position[:, ARTICULATORS.index(name)] for name in ("lips", "voice"))
    closed = np.flatnonzero(np.diff((lips > 0.8).astype(int)) == 1)
    assert len(closed) >= 2
    assert voice.max() > 0.99
    # No articulator jumps from rest to its place within a bin.
    assert np.abs(said.change).max() < 0.7


def test_blocks_of_any_size_say_the_same():
    one = speaker(in_order(["I am here"])).next(600)
    other = speaker(in_order(["I am here"]))
    pieces = [other.next(n) for n in (25, 100, 75, 400)]
    np.testing.assert_array_equal(np.concatenate([p.position for p in pieces]), one.position)
    np.testing.assert_array_equal(np.concatenate([p.change for p in pieces]), one.change)


def test_shuffled_says_each_sentence_before_any_comes_again():
    sentences = [str(k) for k in range(10)]
    drawn = list(itertools.islice(shuffled(sentences, np.random.default_rng(0)), 30))
    for first in (0, 10, 20):
        assert sorted(drawn[first : first + 10]) == sentences
    assert drawn[:10] != drawn[10:20]
