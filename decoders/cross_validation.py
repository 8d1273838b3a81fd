"""How well a decoder does on what it was not fitted on, within one training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoder, Decoding, Moment, Training
from decoders.folds import trial_folds
from decoders.gathering import Progress
from decoders.output import Command, Output, Prediction
from decoders.scores import class_scores, continuous_scores
from decoders.trials import decide
from devices.signal import Chunk

__all__ = ["cross_validate"]

_FOLDS = 5


def cross_validate(
    decoder: Decoder, training: Training, progress: Progress | None = None
) -> dict[str, Any]:
    """Score `decoder` by blocked cross-validation, each row decoded by the live step.

    Classes: whole trials are left out, of each class in the order of time, and scored by the
    decision that ends them. Continuous: blocks of consecutive rows are left out.

    Returns
    -------
    What `decoders.scores` says, with ``folds``.

    Raises
    ------
    Mismatch
        A fold has too little to fit on.
    """
    classes = decoder.task == "classes"
    folds = list(
        trial_folds(training, 2 * _FOLDS) if classes else _row_folds(len(training.features))
    )
    said: list[tuple[int, Output]] = []
    for number, left_out in enumerate(folds):
        if progress is not None:
            progress("cross-validation", number / len(folds))
        said += _decode(decoder, training, left_out)
    scores = _score_trials(training, said) if classes else _score_rows(training, said)
    return scores | {"folds": len(folds)}


def _row_folds(n: int) -> Iterator[NDArray[np.bool_]]:
    at = np.arange(n) * _FOLDS // n
    for fold in range(_FOLDS):
        yield at == fold


def _decode(
    decoder: Decoder, training: Training, left_out: NDArray[np.bool_]
) -> Iterator[tuple[int, Output]]:
    """Fit on all but some rows, decode those as if live; yield the row and what was said."""
    kept = ~left_out
    # What was left out parts the groups beside it: no history reaches over it.
    parted = np.cumsum(np.diff(left_out, prepend=left_out[:1]) != 0)
    groups = training.groups * (int(parted[-1]) + 1) + parted
    weights = decoder.fit(
        Training(
            training.signal,
            training.features[kept],
            training.targets[kept],
            groups[kept],
            training.labels,
            training.unit,
        )
    )
    decoding: Decoding | None = None
    group = None
    for row in np.flatnonzero(left_out):
        if decoding is None or groups[row] != group:
            group = groups[row]
            decoding = decoder.start(training.signal, training.labels, training.unit, weights)
        chunk = Chunk(np.zeros(1), training.features[row : row + 1])
        for output in decoding(chunk, Moment(int(row), 0.0)):
            yield int(row), output


def _score_trials(training: Training, said: list[tuple[int, Output]]) -> dict[str, Any]:
    rows: dict[int, list[tuple[float, ...]]] = {}
    truth: dict[int, int] = {}
    for row, output in said:
        if isinstance(output, Prediction):
            group = int(training.groups[row])
            rows.setdefault(group, []).append(output.probabilities)
            truth[group] = int(training.targets[row])
    decisions = [decide(rows[group]) for group in truth]
    second = [float(np.mean([p[1] for p in rows[group]])) for group in truth]
    return class_scores(list(truth.values()), decisions, training.labels, second)


def _score_rows(training: Training, said: list[tuple[int, Output]]) -> dict[str, Any]:
    values = [(row, output.values) for row, output in said if isinstance(output, Command)]
    values.sort()
    rows = np.array([row for row, _ in values])
    truth = training.targets[rows].astype(np.float64)
    return continuous_scores(truth, np.array([v for _, v in values]), training.labels)
