from collections.abc import Sequence

import numpy as np

from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.models.speech import Speech
from decoders.output import Output, Prediction
from decoders.speech.held_out_scores import fit_and_score, score_sentences
from devices.signal import Chunk, Signal
from devices.speech.phonemes import CLASSES
from tests.contract.spoken import spoken_training

RECIPE = Speech(epochs=1, units=4, layers=1, patch=6, stride=2)


class Knowing(Speech):
    """Says, of each row, the phoneme that a table has for it; counts its runs."""

    runs = 0

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        type(self).runs += 1

        def say(chunk: Chunk, moment: Moment) -> Sequence[Output]:
            row = np.zeros(len(CLASSES))
            row[int(weights["said"][moment.sample])] = 1.0
            return (Prediction(labels, tuple(row.tolist())),)

        return say


def said_in(training: Training) -> np.ndarray:
    assert training.spoken is not None
    table = np.zeros(len(training.features), np.int64)
    for group in np.unique(training.groups):
        rows = np.flatnonzero(training.groups == group)
        names = training.spoken[training.spoken[:, 0] == group, 1]
        table[rows[0] : rows[0] + len(names)] = names
    return table


def test_what_is_said_as_it_was_meant_scores_no_error_in_one_run_a_stretch() -> None:
    training = spoken_training(8)
    Knowing.runs = 0
    scores = score_sentences(Knowing(), {"said": said_in(training)}, training)
    assert scores["phoneme_error_rate"] == 0.0
    assert scores["chance"] > 0.3
    assert Knowing.runs == 2


def test_the_score_is_of_the_weights_that_come_out_and_of_sentences_they_never_saw() -> None:
    training = spoken_training(10)
    seen: list[Training] = []

    def fit(some: Training) -> Weights:
        seen.append(some)
        return RECIPE.fit(some)

    weights, scores = fit_and_score(RECIPE, training, fit)
    (learned,) = seen
    left_out = training.part(~np.isin(training.groups, learned.groups))
    assert len(np.unique(learned.groups)) == 8
    assert scores == score_sentences(RECIPE, weights, left_out)
    assert scores["n"] == 2


def test_too_few_sentences_are_all_learned_from() -> None:
    training = spoken_training(4)
    weights, scores = fit_and_score(RECIPE, training, RECIPE.fit)
    assert scores == {}
    assert len(weights["output"]) == len(CLASSES)
