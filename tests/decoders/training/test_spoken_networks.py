"""What every network of speech learns, and how it is brought to another day."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.decoder import Moment, Training, Weights
from decoders.models.speech import Speech
from decoders.models.speech_conformer import SpeechConformer
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import phoneme_scores
from decoders.stage import Mismatch
from decoders.training.gru_graphs import checked_int8
from decoders.training.journal import Journal
from decoders.training.spoken_recipe import SpokenTrained
from devices.signal import Chunk
from tests.contract.spoken import spoken_training

QUICK_GRU = Speech(
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
QUICK_CONFORMER = SpeechConformer(
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


def said_of(recipe: SpokenTrained, weights: Weights, training: Training) -> NDArray[np.float64]:
    """Return (n_steps, 41): what a live run says of all rows, one after the other."""
    run = recipe.start(training.signal, training.labels, "", weights)
    rows = training.features.astype(np.float32)
    outputs = run(Chunk(np.arange(len(rows)) / 50.0, rows), Moment(len(rows) - 1, 0.0))
    return np.array([o.probabilities for o in outputs if isinstance(o, Prediction)])


def error_rate(recipe: SpokenTrained, weights: Weights, training: Training) -> float:
    assert training.spoken is not None
    heard = greedy(said_of(recipe, weights, training))
    return float(phoneme_scores([training.spoken[:, 1]], [heard])["phoneme_error_rate"])


@pytest.fixture(scope="module")
def gru() -> Weights:
    return QUICK_GRU.fit(spoken_training(60))


@pytest.fixture(scope="module", params=["gru", "conformer"])
def learned(request: pytest.FixtureRequest) -> tuple[SpokenTrained, Weights]:
    """A recipe, and what it has learned."""
    if request.param == "gru":
        return QUICK_GRU, request.getfixturevalue("gru")
    return QUICK_CONFORMER, QUICK_CONFORMER.fit(spoken_training(40))


def test_it_learns_to_say_sentences_that_it_has_not_seen_one_after_the_other(
    learned: tuple[SpokenTrained, Weights],
) -> None:
    assert error_rate(*learned, spoken_training(30, seed=9)) < 0.1


def test_silence_says_nothing_however_long(learned: tuple[SpokenTrained, Weights]) -> None:
    silence = replace(
        spoken_training(2), features=0.3 * np.random.default_rng(1).standard_normal((3000, 10))
    )
    assert greedy(said_of(*learned, silence)) == ()


def test_a_new_day_is_learned_from_a_few_sentences_by_its_day_layer_alone(
    learned: tuple[SpokenTrained, Weights],
) -> None:
    recipe, weights = learned
    new_day, after = (spoken_training(n, seed=n, shift=3.0) for n in (20, 30))
    tuned = recipe.tune(new_day, weights)
    assert error_rate(recipe, weights, after) > 2 * error_rate(recipe, tuned, after)
    assert {name for name in weights if not np.array_equal(weights[name], tuned[name])} == {
        "mean",
        "inverse",
        "day weight",
        "day bias",
    }


def test_of_few_sentences_all_are_learned_from(gru: Weights) -> None:
    """None is held out to say when to stop: another last one gives other weights."""
    few = spoken_training(4)
    assert few.spoken is not None
    other = replace(few, spoken=few.spoken.copy())
    other.spoken[-1, 1] = 1 if few.spoken[-1, 1] != 1 else 5  # type: ignore[index]
    one, two = (replace(QUICK_GRU, tune_epochs=3).tune(t, gru) for t in (few, other))
    assert not np.array_equal(one["day weight"], two["day weight"])


def test_8_bit_weights_hold_what_was_learned_or_are_refused(gru: Weights) -> None:
    training = spoken_training(30)
    recipe = replace(QUICK_GRU, precision="int8")
    small = checked_int8(recipe, gru, training)
    after = spoken_training(30, seed=9)
    assert error_rate(QUICK_GRU, small, after) < error_rate(QUICK_GRU, gru, after) + 0.03
    spoiled = {**gru, "output": gru["output"].copy()}
    spoiled["output"][:, 0] += 1e4  # the same for all classes, but 8 bits cannot span it
    with pytest.raises(Mismatch, match=r"error rate is 0\.\d+ with float32 weights and \d\.\d+"):
        checked_int8(recipe, spoiled, training)


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(QUICK_GRU, id="gru"),
        pytest.param(
            replace(QUICK_CONFORMER, dropout=0.2, dropout_in=0.2, hidden=0.1), id="conformer"
        ),
    ],
)
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    recipe: SpokenTrained, tmp_path: Path
) -> None:
    training = spoken_training(8)
    short = replace(recipe, epochs=4)

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
