"""Across days and people: what alignment and tuning regain, on recordings of real brains.

Each session (person, third of a recording) is decoded by a model of the others, as it is; behind
stages that align as they run; and tuned to its first seconds. What is scored is the same for all of
a set: what comes after those seconds.

    python benchmarks/across.py                 # all sets
    python benchmarks/across.py hand ssvep      # those with one of the words in their names
    python benchmarks/across.py --permuted      # the control: labels permuted, truth turned by 30 s

Recordings are read from ../shared/data, or BCI_TEST_DATA.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest

from bci_server.config import session_of  # noqa: E402
from bci_server.evaluation.evaluate import Controls  # noqa: E402
from bci_server.evaluation.groups import By  # noqa: E402
from bci_server.evaluation.leave_out import LeftOutEvaluation, leave_one_out  # noqa: E402
from benchmarks.leaderboard.cells import described  # noqa: E402
from benchmarks.leaderboard.sets import SETS, RecordedSet  # noqa: E402
from benchmarks.leaderboard.variants import (  # noqa: E402
    COVARIANCE,
    EPOCH,
    FLICKER_COVARIANCE,
    MU_BETA,
    P300_BAND,
    RECENTRED,
    RIDGE,
    WHITENED,
    Variant,
)
from decoders.stage import Mismatch  # noqa: E402


@dataclass(frozen=True)
class Way:
    """One way to meet a new session: a decoder, and whether it is tuned to the first seconds."""

    variant: Variant
    tuned: bool = False


def aligned(by: str, decoder: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a decoder behind an alignment."""
    return {"kind": "aligned", "by": by, "decoder": decoder, **settings}


def way(
    name: str, decoder: Mapping[str, Any], *stages: Mapping[str, Any], tuned: bool = False
) -> Way:
    """Return a way; without stages it has those of the session file."""
    return Way(Variant(name, decoder, stages or None), tuned)


TS, LOGISTIC, LDA = ({"kind": kind} for kind in ("tangent_space", "logistic", "lda"))
GOING_ON = {"kind": "zscore", "time_constant_s": 60.0, "warm_up_s": 5.0}
KALMAN = {"kind": "kalman", "lag": 1}
SMOOTH = {"kind": "smooth", "time_constant_s": 0.1}

IMAGERY = (
    way("tangent_space", TS),
    way("behind recentre", TS, MU_BETA, COVARIANCE, RECENTRED),
    way("aligned by recentre, tuned", aligned("recentre", TS), tuned=True),
    way("weights tuned", TS, tuned=True),
    way("behind recentre, weights tuned", TS, MU_BETA, COVARIANCE, RECENTRED, tuned=True),
)
SSVEP = (
    way("logistic", LOGISTIC),
    way("aligned by zscore, tuned", aligned("zscore", LOGISTIC), tuned=True),
    way("weights tuned", LOGISTIC, tuned=True),
    way("tangent_space on narrow bands", TS, *FLICKER_COVARIANCE),
    way("the same behind recentre", TS, *FLICKER_COVARIANCE, RECENTRED),
    way("the same aligned, tuned", aligned("recentre", TS), *FLICKER_COVARIANCE, tuned=True),
    way("the same, weights tuned", TS, *FLICKER_COVARIANCE, tuned=True),
)
P300 = (
    way("lda", LDA),
    way("behind whiten", LDA, P300_BAND, WHITENED, EPOCH),
    way("aligned by zscore, tuned", aligned("zscore", LDA), tuned=True),
    way("logistic", LOGISTIC),
    way("logistic, weights tuned", LOGISTIC, tuned=True),
)
VELOCITY = (
    way("ridge", RIDGE),
    way("behind a running zscore", RIDGE, GOING_ON),
    way("aligned by zscore, tuned", aligned("zscore", RIDGE), tuned=True),
    way("aligned by procrustes, tuned", aligned("procrustes", RIDGE, n_factors=20), tuned=True),
    way("aligned by cca, tuned", aligned("cca", RIDGE, n_factors=20), tuned=True),
    way("weights tuned", RIDGE, tuned=True),
    way("kalman", KALMAN, SMOOTH),
    way("kalman behind a running zscore", KALMAN, SMOOTH, GOING_ON),
)


@dataclass(frozen=True)
class Question:
    """What is left out of which set, how long a model is tuned, and the ways to compare."""

    set: str
    by: By
    first_s: float
    ways: Sequence[Way]


QUESTIONS = (
    Question("imagined fists/feet", "recording", 52.0, IMAGERY),
    Question("SSVEP, session left out", "session", 130.0, SSVEP),
    Question("SSVEP, person left out", "person", 130.0, SSVEP),
    Question("P300 headband, session left out", "session", 115.0, P300),
    Question("P300 headband, person left out", "person", 115.0, P300),
    Question("hand velocity, 196 units, first → last third", "recording", 60.0, VELOCITY),
)


def main() -> int:
    """Print one table a set."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("sets", nargs="*", metavar="WORD")
    ask.add_argument("--permuted", action="store_true")
    asked = ask.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    named = {recorded.name: recorded for recorded in SETS}
    with tempfile.TemporaryDirectory() as folder:
        for question in QUESTIONS:
            if not asked.sets or any(w.lower() in question.set.lower() for w in asked.sets):
                _answer(question, named[question.set], Path(folder), asked.permuted)
    return 0


def _answer(question: Question, recorded: RecordedSet, folder: Path, permuted: bool) -> None:
    print(f"\n{question.set}: scored after the first {question.first_s:g} s\n", flush=True)
    for one in question.ways:
        try:
            result = _left_out(question, one, recorded, folder, permuted)
        except Mismatch as why:
            print(f"| {one.variant.name} | {why} |", flush=True)
            continue
        values = {f.left_out: _value(f.metrics, recorded.score) for f in result.folds}
        each = ", ".join(f"{key} {value:.3f}" for key, value in values.items())
        mean = np.mean(list(values.values()))
        print(f"| {one.variant.name} | {mean:.3f} | {each} |", flush=True)


def _left_out(
    question: Question, one: Way, recorded: RecordedSet, folder: Path, permuted: bool
) -> LeftOutEvaluation:
    session = session_of(described(recorded, one.variant), folder)
    controls = Controls(
        permute_seed=1 if permuted else None,
        shift_s=30.0 if permuted else 0.0,
        skip_s=question.first_s,
    )
    return leave_one_out(
        session.pipeline,
        session.decoder,
        recorded.sources(folder),
        question.by,
        session.target.channels if session.target else (),
        first_s=question.first_s if one.tuned else 0.0,
        controls=controls,
    )


def _value(metrics: Mapping[str, Any], score: str) -> float:
    value = float(np.mean(metrics[score]))
    return value if math.isfinite(value) else math.nan


if __name__ == "__main__":
    sys.exit(main())
