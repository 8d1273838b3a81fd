"""What is learned of a decoder's certainty, from what it said of trials that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.calibrating.cross_validation import LeftOutTrial, Said, trials_of
from decoders.deciding.probabilities import (
    Isotonic,
    Method,
    Probabilities,
    Scaling,
    fit_map,
    map_of,
)
from decoders.decoder import Training
from decoders.output import Prediction
from decoders.scoring.reliability import reliability
from decoders.stage import Mismatch

__all__ = ["CalibratedSaid", "calibrate_probabilities"]


@dataclass(frozen=True, slots=True)
class CalibratedSaid:
    """What was said, once it is calibrated.

    Parameters
    ----------
    said
        As `decoders.calibrating.cross_validation` gives it, the probabilities mapped.
    weights
        What a model keeps of the map; nothing where there is none.
    reliability
        ``before`` and ``after``, as `decoders.scoring.reliability` says; after: each half of the
        trials through a map that was fitted on the other.
    """

    said: Said
    weights: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    reliability: Mapping[str, Any] = field(default_factory=dict)


def calibrate_probabilities(
    recipe: Probabilities | None, training: Training, said: Said
) -> CalibratedSaid:
    """Fit what makes probabilities mean what they say, on trials that were left out.

    Raises
    ------
    Mismatch
        The decoder says no probabilities.
    """
    if recipe is None:
        return CalibratedSaid(said)
    trials = trials_of(training, said)
    if len(trials) < 4:
        raise Mismatch(
            "[probabilities] needs a decoder of classes and four trials or more; there are "
            f"{len(trials)}"
        )
    weights = _fit(recipe.method, trials)
    through = _map(weights)
    halves = trials[::2], trials[1::2]
    crossed = [_map(_fit(recipe.method, half)) for half in reversed(halves)]
    after = [
        np.array([mapped(row) for row in trial.rows.tolist()])
        for half, mapped in zip(halves, crossed, strict=True)
        for trial in half
    ]
    truths = np.concatenate([_truths(half) for half in halves])
    return CalibratedSaid(
        [
            (row, replace(o, probabilities=through(o.probabilities)))
            if isinstance(o, Prediction)
            else (row, o)
            for row, o in said
        ],
        weights,
        {
            "method": recipe.method,
            "before": reliability(np.concatenate([t.rows for t in trials]), _truths(trials)),
            "after": reliability(np.concatenate(after), truths),
        },
    )


def _fit(method: Method, trials: list[LeftOutTrial]) -> dict[str, NDArray[np.float64]]:
    weights = np.concatenate([np.full(len(t.rows), 1 / len(t.rows)) for t in trials])
    return fit_map(method, np.concatenate([t.rows for t in trials]), _truths(trials), weights)


def _map(weights: Mapping[str, NDArray[np.float64]]) -> Scaling | Isotonic:
    through = map_of(weights)
    if through is None:
        raise TypeError("there is no map")
    return through


def _truths(trials: list[LeftOutTrial]) -> NDArray[np.int64]:
    return np.concatenate([np.full(len(t.rows), t.truth) for t in trials])
