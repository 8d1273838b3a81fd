"""How well a decoder does on what it was not fitted on, within one training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.stopping import EvidenceKind, Stopping
from decoders.deciding.trials import decide
from decoders.decoder import Decoder, Decoding, Moment, OfSessions, Training, Weights
from decoders.gathering import Progress
from decoders.output import Command, Output, Prediction, Voice
from decoders.rows.folds import mixed_trial_folds, trial_folds
from decoders.scoring.scores import class_scores, continuous_scores
from decoders.speech.held_out_scores import fit_and_score
from decoders.training.recipe import Trained
from devices.signal import Chunk

__all__ = [
    "LeftOutTrial",
    "Said",
    "apart",
    "cross_validate",
    "folds_of",
    "leave_out",
    "score",
    "stopping_scores",
    "trials_of",
]

_FOLDS = 5

Said = Sequence[tuple[int, Output]]
"""Rows of a training, and what was said of each by a decoder that was not fitted on it."""


@dataclass(frozen=True, slots=True)
class LeftOutTrial:
    """A trial, decoded by a decoder that was not fitted on it.

    Parameters
    ----------
    truth
        Index of its class.
    rows
        (n_blocks, n_classes) probabilities.
    ages
        (n_blocks,) samples from the cue to the end of each block; None where nobody knows.
    """

    truth: int
    rows: NDArray[np.float64]
    ages: NDArray[np.int64] | None


def cross_validate(
    decoder: Decoder,
    training: Training,
    progress: Progress | None = None,
    evidence: EvidenceKind = "sum",
) -> dict[str, Any]:
    """Score `decoder` by blocked cross-validation, each row decoded by the live step.

    Classes: whole trials are left out, of each class in the order of time, and scored by the
    decision that ends them. Continuous: blocks of consecutive rows are left out. A network, for
    which each part takes minutes, says itself how many, the last ones, are enough (`folds`).
    Speech: the last fifth of the sentences is left out.

    Returns
    -------
    What `decoders.scoring.scores` says, with ``folds``; of speech, what `phoneme_scores` says.

    Raises
    ------
    Mismatch
        A fold has too little to fit on.
    """
    if decoder.task == "speech":
        return fit_and_score(decoder, training, decoder.fit)[1]
    return score(decoder, training, leave_out(decoder, training, progress), evidence)


def leave_out(
    decoder: Decoder,
    training: Training,
    progress: Progress | None = None,
    fit: Callable[[Training], Weights] | None = None,
) -> Said:
    """Decode every row by a decoder that was fitted without it: see `cross_validate`.

    Parameters
    ----------
    decoder, training
        What is fitted, on what.
    progress
        Is told how far it is.
    fit
        Takes the place of the decoder's own.
    """
    said: list[tuple[int, Output]] = []
    folds = folds_of(decoder, training)
    for number, left_out in enumerate(folds):
        if progress is not None:
            progress("cross-validation", number / len(folds))
        said += _decode(decoder, fit or decoder.fit, training, left_out)
    return said


def score(
    decoder: Decoder, training: Training, said: Said, evidence: EvidenceKind = "sum"
) -> dict[str, Any]:
    """Score what `leave_out` gave: see `cross_validate`."""
    classes = decoder.task == "classes"
    scores = _score_trials(training, said, evidence) if classes else _score_rows(training, said)
    return scores | {"folds": len(folds_of(decoder, training))}


def trials_of(training: Training, said: Said) -> list[LeftOutTrial]:
    """Return what was said of each trial, in the order of time."""
    rows: dict[int, list[int]] = {}
    probabilities: dict[int, tuple[float, ...]] = {}
    for row, output in said:
        if isinstance(output, Prediction):
            rows.setdefault(int(training.groups[row]), []).append(row)
            probabilities[row] = output.probabilities
    return [
        LeftOutTrial(
            int(training.targets[at[0]]),
            np.array([probabilities[row] for row in at]),
            None if training.ages is None else training.ages[at],
        )
        for _, at in sorted(rows.items())
    ]


def stopping_scores(
    training: Training, said: Said, stopping: Stopping, rate_hz: float
) -> dict[str, Any]:
    """Say what deciding early does to the trials that it was fitted on.

    Returns
    -------
    ``error`` (that was asked for), ``accuracy``, ``mean_s`` (from a cue to its decision), and
    ``early`` (the share of trials that were decided before their last block).
    """
    trials = trials_of(training, said)
    decided = [stopping.when(trial.rows) for trial in trials]
    pairs = list(zip(trials, decided, strict=True))
    waits_s = [int(t.ages[at]) / rate_hz for t, (at, _, _) in pairs if t.ages is not None]
    return {
        "error": stopping.error,
        "accuracy": float(np.mean([trial.truth == label for trial, (_, label, _) in pairs])),
        "mean_s": float(np.mean(waits_s)) if waits_s else None,
        "early": float(np.mean([at < len(t.rows) - 1 for t, (at, _, _) in pairs])),
    }


def folds_of(decoder: Decoder, training: Training) -> list[NDArray[np.bool_]]:
    """Return which rows are left out of each fold: see `cross_validate`."""
    most = decoder.folds if isinstance(decoder, Trained) else 2 * _FOLDS
    if decoder.task == "continuous":
        return list(_row_folds(len(training.features)))[-most:]
    parting = mixed_trial_folds if getattr(decoder, "shares_classes", False) else trial_folds
    return list(parting(training, min(max(2, most), 2 * _FOLDS)))[-most:]


def apart(training: Training, left_out: NDArray[np.bool_]) -> Training:
    """Let what is left out part the groups beside it, so that no history reaches over it."""
    parted = np.cumsum(np.diff(left_out, prepend=left_out[:1]) != 0)
    return replace(training, groups=training.groups * (int(parted[-1]) + 1) + parted)


def _row_folds(n: int) -> Iterator[NDArray[np.bool_]]:
    at = np.arange(n) * _FOLDS // n
    for fold in range(_FOLDS):
        yield at == fold


def _decode(
    decoder: Decoder,
    fit: Callable[[Training], Weights],
    training: Training,
    left_out: NDArray[np.bool_],
) -> Iterator[tuple[int, Output]]:
    """Fit on all but some rows, decode those as if live; yield the row and what was said."""
    parted = apart(training, left_out)
    groups = parted.groups
    weights = fit(parted.part(~left_out))
    decoding: Decoding | None = None
    group = None
    for row in np.flatnonzero(left_out):
        if decoding is None or groups[row] != group:
            group = groups[row]
            own = _of_session(decoder, weights, training, int(row))
            decoding = decoder.start(training.signal, training.labels, training.unit, own)
        chunk = Chunk(np.zeros(1), training.features[row : row + 1])
        for output in decoding(chunk, _moment(training, int(row))):
            yield int(row), output


def _of_session(decoder: Decoder, weights: Weights, training: Training, row: int) -> Weights:
    if training.sessions is None or not isinstance(decoder, OfSessions):
        return weights
    return decoder.of_session(weights, int(training.sessions[row]))


def _moment(training: Training, row: int) -> Moment:
    """Return where a row ends, counted from its trial's cue where there is one."""
    if training.ages is None:
        return Moment(row, 0.0)
    return Moment(int(training.ages[row]), 0.0, cue=0)


def _score_trials(training: Training, said: Said, evidence: EvidenceKind) -> dict[str, Any]:
    trials = trials_of(training, said)
    truths = [trial.truth for trial in trials]
    decisions = [decide(trial.rows.tolist(), evidence) for trial in trials]
    second = [float(np.mean(trial.rows[:, 1])) for trial in trials]
    return class_scores(truths, decisions, training.labels, second)


def _score_rows(training: Training, said: Said) -> dict[str, Any]:
    values = [(row, output.values) for row, output in said if isinstance(output, Command | Voice)]
    values.sort()
    rows = np.array([row for row, _ in values])
    truth = training.targets[rows].astype(np.float64)
    return continuous_scores(truth, np.array([v for _, v in values]), training.labels)
