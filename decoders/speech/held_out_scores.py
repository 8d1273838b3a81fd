"""How well a decoder says sentences that it has not learned from, decoded as live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoder, Decoding, Moment, OfSessions, Training, Weights
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.phoneme_errors import phoneme_scores
from decoders.speech.spoken_sentences import SpokenSentence, held_out, spoken_sentences
from devices.signal import Chunk

__all__ = ["best_paths", "fit_and_score", "score_sentences"]

_SHARE = 0.2
_FEWEST = 5


def fit_and_score(
    decoder: Decoder, training: Training, fit: Callable[[Training], Weights]
) -> tuple[Weights, dict[str, Any]]:
    """Fit on all but the last fifth of each session's sentences; say how well that fifth is said.

    A training takes long, so there is no second one: the score is of the very weights returned.

    Parameters
    ----------
    decoder
        The recipe.
    training
        The sentences; of fewer than 5, all are learned from, and nothing is scored.
    fit
        What fits: the decoder's own, or another.
    """
    found = spoken_sentences(training)
    if len(found) < _FEWEST:
        return fit(training), {}
    out = held_out(found, _SHARE)
    is_out = np.isin(training.groups, [u.group for u, left in zip(found, out, strict=True) if left])
    weights = fit(training.part(~is_out))
    return weights, score_sentences(decoder, weights, training.part(is_out))


def score_sentences(decoder: Decoder, weights: Weights, training: Training) -> dict[str, Any]:
    """Score the best path of every sentence of `training`; see `phoneme_scores`."""
    said = best_paths(decoder, weights, training)
    return phoneme_scores([u.phonemes for u in spoken_sentences(training)], said)


def best_paths(decoder: Decoder, weights: Weights, training: Training) -> list[tuple[int, ...]]:
    """Return the phonemes of the best path of every sentence of `training`, decoded as live.

    State is carried through silence, and from sentence to sentence where no gap lies between.
    """
    return [greedy(_likely(run, training, u)) for run, u in _runs(decoder, weights, training)]


def _runs(
    decoder: Decoder, weights: Weights, training: Training
) -> list[tuple[Decoding, SpokenSentence]]:
    """Return, for each sentence in order, the run that hears it: the one before's, or a new one."""
    runs: list[tuple[Decoding, SpokenSentence]] = []
    for utterance in spoken_sentences(training):
        if runs and utterance.follows(runs[-1][1]):
            run = runs[-1][0]
        else:
            own = weights
            if training.sessions is not None and isinstance(decoder, OfSessions):
                own = decoder.of_session(weights, utterance.session)
            run = decoder.start(training.signal, training.labels, training.unit, own)
        runs.append((run, utterance))
    return runs


def _likely(run: Decoding, training: Training, utterance: SpokenSentence) -> NDArray[np.float64]:
    """Return (n_steps, n_classes): what is said while a sentence lasts."""
    outputs = [
        output.probabilities
        for row in range(utterance.first, utterance.end)
        for output in run(
            Chunk(np.zeros(1), training.features[row : row + 1].astype(np.float32)),
            Moment(row, 0.0),
        )
        if isinstance(output, Prediction)
    ]
    return np.array(outputs).reshape(len(outputs), len(training.labels))
