from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from decoders.decoder import Moment, Training, Weights
from decoders.models.speech import Speech
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import phoneme_scores
from decoders.speech.utterances import held_out, utterances
from decoders.stage import Mismatch
from decoders.training.gru_graphs import checked_int8
from decoders.training.journal import Journal
from decoders.training.spoken import Disturbance
from devices.signal import Chunk
from tests.contract.spoken import spoken_training

QUICK = Speech(
    epochs=25,
    units=24,
    layers=1,
    patch=6,
    stride=2,
    batch=8,
    learning_rate=2e-2,
    dropout=0.0,
    dropout_in=0.0,
    noise=0.2,
    hidden=0.0,
    sentences=2,
    tune_epochs=25,
    tune_rate=2e-2,
)


def said_of(weights: Weights, training: Training) -> NDArray[np.float64]:
    """Return (n_steps, 41): what a live run says of all rows, one after the other."""
    run = QUICK.start(training.signal, training.labels, "", weights)
    outputs = [
        output
        for at, row in enumerate(training.features)
        for output in run(Chunk(np.zeros(1), row[np.newaxis].astype(np.float32)), Moment(at, 0.0))
    ]
    return np.array([o.probabilities for o in outputs if isinstance(o, Prediction)])


def error_rate(weights: Weights, training: Training) -> float:
    assert training.spoken is not None
    return float(
        phoneme_scores([training.spoken[:, 1]], [greedy(said_of(weights, training))])[
            "phoneme_error_rate"
        ]
    )


@pytest.fixture(scope="module")
def weights() -> Weights:
    return QUICK.fit(spoken_training(60))


def test_it_learns_to_say_sentences_that_it_has_not_seen_one_after_the_other(
    weights: Weights,
) -> None:
    assert error_rate(weights, spoken_training(30, seed=9)) < 0.1


def test_silence_says_nothing_however_long(weights: Weights) -> None:
    silence = replace(
        spoken_training(2), features=0.3 * np.random.default_rng(1).standard_normal((3000, 10))
    )
    assert greedy(said_of(weights, silence)) == ()


def test_a_new_day_is_learned_from_a_few_sentences_by_its_day_layer_alone(
    weights: Weights,
) -> None:
    new_day, after = (spoken_training(n, seed=n, shift=3.0) for n in (20, 30))
    tuned = QUICK.tune(new_day, weights)
    assert error_rate(weights, after) > 2 * error_rate(tuned, after)
    assert {name for name in weights if not np.array_equal(weights[name], tuned[name])} == {
        "mean",
        "inverse",
        "day weight",
        "day bias",
    }


def test_sessions_that_lie_apart_are_each_brought_to_their_own_deviations() -> None:
    training = spoken_training(10, sessions=2)
    training.features[training.is_session(1)] += 50.0
    weights = replace(QUICK, epochs=1).fit(training)
    apart = weights["mean"][1] - weights["mean"][0]
    assert np.allclose(apart, 50.0, atol=1.0)
    assert weights["loadings"].shape == (2, 10, 2)


def test_of_few_sentences_all_are_learned_from(weights: Weights) -> None:
    """None is held out to say when to stop: another last one gives other weights."""
    few = spoken_training(4)
    assert few.spoken is not None
    other = replace(few, spoken=few.spoken.copy())
    other.spoken[-1, 1] = 1 if few.spoken[-1, 1] != 1 else 5  # type: ignore[index]
    one, two = (replace(QUICK, tune_epochs=3).tune(t, weights) for t in (few, other))
    assert not np.array_equal(one["day weight"], two["day weight"])


def test_8_bit_weights_hold_what_was_learned_or_are_refused(weights: Weights) -> None:
    training = spoken_training(30)
    small = checked_int8(replace(QUICK, precision="int8"), weights, training)
    after = spoken_training(30, seed=9)
    assert error_rate(small, after) < error_rate(weights, after) + 0.03
    spoiled = {**weights, "output": weights["output"].copy()}
    spoiled["output"][:, 0] += 1e4  # the same for all classes, but 8 bits cannot span it
    with pytest.raises(Mismatch, match=r"error rate is 0\.\d+ with float32 weights and \d\.\d+"):
        checked_int8(replace(QUICK, precision="int8"), spoiled, training)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    training = spoken_training(8)
    short = replace(QUICK, epochs=4)

    class _Killed(Exception):
        pass

    def kill(what: str, done: float) -> None:
        assert "phoneme error rate" in what
        if done == 0.5:
            raise _Killed

    with pytest.raises(_Killed):
        short.train(training, Journal(tmp_path, kill))
    told: list[float] = []
    resumed = short.train(training, Journal(tmp_path, lambda _, done: told.append(done)))
    whole = short.fit(training)
    assert told == [0.75, 1.0]
    assert {k: v.tobytes() for k, v in resumed.items()} == {
        k: v.tobytes() for k, v in whole.items()
    }


def test_another_seed_gives_other_weights() -> None:
    training = spoken_training(4)
    one, other = (replace(QUICK, epochs=1, seed=seed).fit(training) for seed in (0, 1))
    assert not np.array_equal(one["output"], other["output"])


def test_a_sentence_too_short_for_its_phonemes_is_named() -> None:
    training = spoken_training(4)
    with pytest.raises(Mismatch, match=r"sentence 1 of 4 has \d+ phonemes, which need \d+ steps"):
        replace(QUICK, stride=40).fit(training)


def test_one_sentence_is_too_little() -> None:
    training = spoken_training(4)
    with pytest.raises(Mismatch, match="1 sentence is there; at least 2"):
        QUICK.fit(training.part(training.groups == 0))


def test_a_training_without_sentences_is_refused() -> None:
    with pytest.raises(Mismatch, match=r"\[sentences\]"):
        utterances(replace(spoken_training(2), spoken=None))


def test_a_part_of_a_training_keeps_what_was_said_in_it() -> None:
    training = spoken_training(6)
    part = training.part(training.groups >= 4)
    assert part.spoken is not None
    assert set(part.spoken[:, 0]) == {4, 5}


def test_the_last_sentences_of_each_session_are_held_out() -> None:
    found = utterances(spoken_training(10, sessions=2))
    assert held_out(found, 0.4) == [False] * 3 + [True] * 2 + [False] * 3 + [True] * 2
    assert held_out(found[:2], 0.1) == [False, True]


def test_sentences_follow_each_other_but_not_over_a_gap() -> None:
    found = utterances(spoken_training(4))
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
