"""The libraries' own methods, given the rows that a decoder of ours is given, on the same split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci_server.evaluation.leaderboard import of_folds
from benchmarks.leaderboard.cells import set_up
from benchmarks.leaderboard.sets import RecordedSet
from benchmarks.leaderboard.variants import VARIANTS
from benchmarks.peers import PEERS
from decoders.calibrating.calibration import one_thread
from decoders.calibrating.cross_validation import apart, folds_of
from decoders.calibrating.training_rows import training_of
from decoders.deciding.trials import decide
from decoders.decoder import Training
from decoders.describe import describe
from decoders.scoring.scores import class_scores, continuous_scores

__all__ = ["OnRows", "on_rows"]

_SHIFT_S = 30.0


@dataclass(frozen=True)
class OnRows:
    """A library's method.

    Parameters
    ----------
    name
        As the library calls it.
    of
        The name of the decoder of ours that it stands beside: that one's kind says which method,
        and its rows are given to both.
    """

    name: str
    of: str


def on_rows(recorded: RecordedSet, peer: OnRows, folder: Path) -> dict[str, Any]:
    """Score a library's method on a set, and beside a truth that is permuted or turned."""
    variant = next(v for v in VARIANTS[recorded.task] if v.name == peer.of)
    with one_thread():
        session, sources, found = set_up(recorded, variant, folder)
        kind = describe(session.decoder)["kind"]
        target = session.target.channels if session.target else ()

        def training(*at: int) -> Training:
            parts = [found[sources[i].name] for i in at]
            return training_of(parts, session.pipeline, session.decoder, target)

        if recorded.split == "first":
            splits = [(training(0), training(*range(1, len(sources))))]
        elif recorded.split == "within":
            whole = training(*range(len(sources)))
            splits = list(_within(session.decoder, whole))
        else:
            raise AssertionError("whole trials are the peers' where recordings are left out")
        method = PEERS[kind]
        said = [method(session.decoder, train, test) for train, test in splits]
        if recorded.score == "r2":
            return _values(said, splits[0][1])
        dealt = [(_dealt(train, i), test) for i, (train, test) in enumerate(splits)]
        spoiled = [method(session.decoder, train, test) for train, test in dealt]
        tests = [test for _, test in splits]
        return _classes(
            [rows for rows, _ in said], [rows for rows, _ in spoiled], tests, recorded.score
        )


def _within(decoder: Any, whole: Training) -> Iterator[tuple[Training, Training]]:
    for left_out in folds_of(decoder, whole):
        parted = apart(whole, left_out)
        yield parted.part(~left_out), parted.part(left_out)


def _dealt(training: Training, seed: int) -> Training:
    """Return a training whose trials' classes are dealt anew."""
    _, first, at = np.unique(training.groups, return_index=True, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(training.targets[first])
    return replace(training, targets=dealt[at])


def _values(said: list[tuple[NDArray[Any], NDArray[Any]]], test: Training) -> dict[str, Any]:
    decoded, meant = (np.concatenate(part) for part in zip(*said, strict=True))
    scores = continuous_scores(meant.astype(np.float64), decoded, test.labels)
    turned = np.roll(meant, round(_SHIFT_S * test.signal.rate_hz), axis=0).astype(np.float64)
    control = continuous_scores(turned, decoded, test.labels)
    half = float(np.mean([(high - low) / 2 for low, high in scores["ci95"]]))
    value, ci95 = of_folds([(float(np.mean(scores["r2"])), half)])
    return {
        "score": "r2",
        "value": value,
        "ci95": list(ci95),
        "chance": 0.0,
        "n": scores["n"],
        "folds": {"rest" if len(said) == 1 else "within": value},
        "control": float(np.mean(control["r2"])),
    }


def _classes(
    said: list[NDArray[Any]], spoiled: list[NDArray[Any]], tests: list[Training], score: str
) -> dict[str, Any]:
    scores, control = (_scored(rows, tests) for rows in (said, spoiled))
    low, high = scores["auc_ci95" if score == "auc" else "ci95"]
    value, ci95 = of_folds([(scores[score], (high - low) / 2)])
    return {
        "score": score,
        "value": value,
        "ci95": list(ci95),
        "chance": 0.5 if score == "auc" else scores["chance"],
        "n": scores["n"],
        "folds": {"within": value},
        "control": control[score],
    }


def _scored(said: list[NDArray[Any]], tests: list[Training]) -> dict[str, Any]:
    truths, decisions, second = [], [], []
    for rows, test in zip(said, tests, strict=True):
        for group in np.unique(test.groups):
            trial = np.flatnonzero(test.groups == group)
            truths.append(int(test.targets[trial[0]]))
            decisions.append(decide(rows[trial].tolist()))
            second.append(float(rows[trial, 1].mean()))
    return class_scores(truths, decisions, tests[0].labels, second)
