"""How networks of speech are trained: on which sentences, and which they refuse."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from decoders.models.speech import Speech
from decoders.speech.spoken_sentences import held_out, spoken_sentences
from decoders.stage import Mismatch
from decoders.training.spoken import Disturbance
from tests.contract.spoken import spoken_training

SMALL = Speech(epochs=1, units=24, layers=1, patch=6, stride=2, batch=8)


def test_sessions_that_lie_apart_are_each_brought_to_their_own_deviations() -> None:
    training = spoken_training(10, sessions=2)
    training.features[training.is_session(1)] += 50.0
    weights = SMALL.fit(training)
    apart = weights["mean"][1] - weights["mean"][0]
    assert np.allclose(apart, 50.0, atol=1.0)
    assert weights["loadings"].shape == (2, 10, 2)


def test_another_seed_gives_other_weights() -> None:
    training = spoken_training(4)
    one, other = (replace(SMALL, seed=seed).fit(training) for seed in (0, 1))
    assert not np.array_equal(one["output"], other["output"])


def test_a_sentence_too_short_for_its_phonemes_is_named() -> None:
    training = spoken_training(4)
    with pytest.raises(Mismatch, match=r"sentence 1 of 4 has \d+ phonemes, which need \d+ steps"):
        replace(SMALL, stride=40).fit(training)


def test_one_sentence_is_too_little() -> None:
    training = spoken_training(4)
    with pytest.raises(Mismatch, match="1 sentence is there; at least 2"):
        SMALL.fit(training.part(training.groups == 0))


def test_a_training_without_sentences_is_refused() -> None:
    with pytest.raises(Mismatch, match=r"\[sentences\]"):
        spoken_sentences(replace(spoken_training(2), spoken=None))


def test_a_part_of_a_training_keeps_what_was_said_in_it() -> None:
    training = spoken_training(6)
    part = training.part(training.groups >= 4)
    assert part.spoken is not None
    assert set(part.spoken[:, 0]) == {4, 5}


def test_the_last_sentences_of_each_session_are_held_out() -> None:
    found = spoken_sentences(spoken_training(10, sessions=2))
    assert held_out(found, 0.4) == [False] * 3 + [True] * 2 + [False] * 3 + [True] * 2
    assert held_out(found[:2], 0.1) == [False, True]


def test_sentences_follow_each_other_but_not_over_a_gap() -> None:
    found = spoken_sentences(spoken_training(4))
    follows = [b.follows(a) for a, b in pairwise(found)]
    assert follows == [True, False, True]


def test_rows_are_hidden_in_spans_and_no_more_than_is_asked_for() -> None:
    torch.manual_seed(0)
    rows = torch.ones(4, 2000, 1)
    shown = Disturbance(hidden=0.1, span=10).disturb(rows)[:, :, 0].numpy()
    assert 0.05 < 1 - shown.mean() < 0.13
    lengths = np.diff(np.flatnonzero(np.diff(shown[0], prepend=1, append=1)))[::2]
    assert lengths.min() >= 10 or lengths[[0, -1]].min() < 10


def test_members_and_folds_are_one() -> None:
    with pytest.raises(ValueError, match="members and folds must be 1; they are 3 and 1"):
        Speech(members=3)
