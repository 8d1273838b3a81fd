from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Moment, Training, Weights
from decoders.models.speech_conformer import SpeechConformer
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import phoneme_scores
from decoders.training.journal import Journal
from devices.signal import Chunk
from tests.contract.spoken import spoken_training

QUICK = SpeechConformer(
    epochs=12,
    width=24,
    heads=2,
    layers=1,
    inner=32,
    kernel=3,
    context=8,
    patch=6,
    stride=2,
    batch=4,
    learning_rate=1e-2,
    dropout=0.0,
    dropout_in=0.0,
    noise=0.2,
    hidden=0.0,
    sentences=2,
    tune_epochs=12,
    tune_rate=2e-2,
)


def said_of(weights: Weights, training: Training) -> NDArray[np.float64]:
    """Return (n_steps, 41): what a live run says of all rows, one after the other."""
    run = QUICK.start(training.signal, training.labels, "", weights)
    rows = training.features.astype(np.float32)
    outputs = run(Chunk(np.arange(len(rows)) / 50.0, rows), Moment(len(rows) - 1, 0.0))
    return np.array([o.probabilities for o in outputs if isinstance(o, Prediction)])


def error_rate(weights: Weights, training: Training) -> float:
    assert training.spoken is not None
    heard = greedy(said_of(weights, training))
    return float(phoneme_scores([training.spoken[:, 1]], [heard])["phoneme_error_rate"])


@pytest.fixture(scope="module")
def weights() -> Weights:
    return QUICK.fit(spoken_training(40))


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


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    training = spoken_training(8)
    short = replace(QUICK, epochs=4, dropout=0.2, dropout_in=0.2, hidden=0.1)

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
