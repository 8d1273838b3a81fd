"""Sentences that nobody cued: what a model heard, and the language made of it, as labels.

Unsupervised recalibration of a speech decoder with pseudo-labels of its language model: Fan et al.,
"Plug-and-play stability for intracortical brain-computer interfaces: a one-year demonstration of
seamless brain-to-text communication", NeurIPS 2023 (CORP). Wrong labels teach wrong things, so a
label counts only where the language is sure of it and the network alone had heard nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoder, Moment, Training, Weights
from decoders.gathering import Gathered
from decoders.output import Output, Prediction
from decoders.speech.ctc import greedy
from decoders.speech.gate import Heard
from decoders.speech.language import Loaded
from decoders.speech.phoneme_errors import distance
from decoders.speech.vocabulary import label_of
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal
from devices.speech.phonemes import CLASSES

__all__ = ["hear", "labelled", "outputs_of", "unlike"]

_BEFORE_S, _AFTER_S = 1.5, 0.3


def hear(decoder: Decoder, weights: Weights, loaded: Loaded, gathered: Gathered) -> list[Heard]:
    """Return all utterances of a recording, decoded as live; its markers are not looked at.

    Parameters
    ----------
    decoder, weights
        The model.
    loaded
        The language.
    gathered
        The recording, through the steps.
    """
    found: list[Heard] = []
    for stretch in np.unique(gathered.stretches):
        found += _hear_stretch(
            decoder, weights, loaded, gathered, np.flatnonzero(gathered.stretches == stretch)
        )
    return found


def outputs_of(
    decoder: Decoder, weights: Weights, signal: Signal, rows: NDArray[np.float32]
) -> Iterator[tuple[Moment, Sequence[Output]]]:
    """Decode rows, (n, n_features), as live and by themselves; yield what is said after each."""
    run = decoder.start(signal, CLASSES, "", weights)
    for number, row in enumerate(rows):
        moment = Moment(number, number / signal.rate_hz)
        yield moment, run(Chunk(np.zeros(1), row[None]), moment)


def labelled(gathered: Gathered, heard: Sequence[Heard]) -> Training:
    """Return what can be learned from utterances, each with some silence before and after it."""
    rate_hz = gathered.features.rate_hz
    before, after = round(_BEFORE_S * rate_hz), round(_AFTER_S * rate_hz)
    parts: list[NDArray[np.int64]] = []
    ages: list[NDArray[np.int64]] = []
    ended = -1
    for one in heard:
        rows = np.arange(max(ended + 1, one.first - before), one.last + after + 1)
        rows = rows[rows < len(gathered.rows)]
        rows = rows[gathered.stretches[rows] == gathered.stretches[one.first]]
        ended = int(rows[-1])
        parts.append(rows)
        ages.append(rows - one.first)
    groups = np.repeat(np.arange(len(parts)), [len(rows) for rows in parts])
    return Training(
        signal=gathered.features,
        features=gathered.rows[np.concatenate(parts)],
        targets=groups,  # each is taken for itself
        groups=groups,
        labels=CLASSES,
        ages=np.concatenate(ages),
        spoken=np.array([(n, k) for n, one in enumerate(heard) for k in one.label], np.int64),
    )


def unlike(heard: Sequence[Heard]) -> float:
    """Return how much the network's best paths differ from what the language makes of them.

    It falls as a model hears better, and needs no truth; of nothing heard it is infinite.
    """
    n = sum(len(one.label) for one in heard)
    return sum(distance(one.label, one.path) for one in heard) / n if n else float("inf")


def _hear_stretch(
    decoder: Decoder,
    weights: Weights,
    loaded: Loaded,
    gathered: Gathered,
    rows: NDArray[np.int64],
) -> list[Heard]:
    run = decoder.start(gathered.features, CLASSES, "", weights)
    speaking = loaded.start(gathered.picked.rate_hz, _hop(gathered))
    steps: list[tuple[int, tuple[float, ...]]] = []
    found: list[Heard] = []
    for row in rows:
        moment = Moment(int(gathered.samples[row]), float(gathered.times[row]))
        outputs = run(Chunk(np.zeros(1), gathered.rows[row : row + 1].astype(np.float32)), moment)
        steps += [(int(row), o.probabilities) for o in outputs if isinstance(o, Prediction)]
        n_before = speaking.utterances[-1] if speaking.utterances else None
        speaking(outputs, moment)
        newest = speaking.utterances[-1] if speaking.utterances else None
        if newest is None or newest is n_before or not newest.text:
            continue
        first, last = (
            int(np.searchsorted(gathered.samples[rows], sample)) + int(rows[0])
            for sample in (newest.first, newest.last)
        )
        label = label_of(newest.text, newest.words)
        said = [likely for at, likely in steps if first <= at <= last]
        path = greedy(np.array(said)) if said else ()
        found.append(Heard(newest.text, newest.confidence, first, last, label, path))
        steps = [step for step in steps if step[0] > last]
    return found


def _hop(gathered: Gathered) -> int:
    if len(gathered.samples) < 2:
        raise Mismatch("a recording of one row says nothing")
    return int(np.diff(gathered.samples).min())
