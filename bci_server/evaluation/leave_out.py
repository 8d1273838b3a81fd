"""Each session, or person, decoded by a model of the others: what a new one can expect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from bci_server.evaluation.evaluate import Controls, evaluate
from bci_server.evaluation.groups import By, Source, folds, numbered
from decoders.artifact import Artifact
from decoders.calibrating.calibration import fitted, one_thread
from decoders.decoder import Decoder, OfSessions
from decoders.gathering import Gathered, Progress, gather, head
from decoders.pipeline import Pipeline
from decoders.scoring.scores import class_scores
from decoders.stage import Mismatch

__all__ = ["Fold", "LeftOutEvaluation", "leave_one_out"]


class Fold(msgspec.Struct, frozen=True):
    """How a model of the others did.

    Parameters
    ----------
    left_out
        What it had not seen.
    recordings
        Those of it.
    n_fitted
        On how many recordings it was fitted.
    metrics
        As `bci_server.evaluation.evaluate` gives them.
    outputs_sha256
        Of its outputs.
    """

    left_out: str
    recordings: tuple[str, ...]
    n_fitted: int
    metrics: dict[str, Any]
    outputs_sha256: str


class LeftOutEvaluation(msgspec.Struct, frozen=True):
    """How models of the others did.

    Parameters
    ----------
    by
        What was left out, one at a time.
    folds
        One for each.
    score
        What is averaged: ``accuracy``, ``auc``, ``r2`` (the mean of its names) or
        ``phoneme_error_rate``.
    mean, mean_ci95
        Over the folds; Student's interval, which is wide for few; none for one fold.
    pooled
        Of decisions: the scores of all folds' trials together, see `decoders.scoring.scores`.
    """

    by: str
    folds: tuple[Fold, ...]
    score: str
    mean: float
    mean_ci95: tuple[float, float] | None
    pooled: dict[str, Any] | None


_BOUNDS = {
    "accuracy": (0.0, 1.0),
    "auc": (0.0, 1.0),
    "r2": (-math.inf, 1.0),
    "phoneme_error_rate": (0.0, math.inf),
}
"""What each score lies between."""


def leave_one_out(
    pipeline: Pipeline,
    decoder: Decoder,
    sources: Sequence[Source],
    by: By,
    target: Sequence[str] = (),
    *,
    first_s: float = 0.0,
    controls: Controls | None = None,
    progress: Progress | None = None,
) -> LeftOutEvaluation:
    """Fit on all but one, run that one through the code that runs live, and so on in turn.

    Parameters
    ----------
    pipeline, decoder
        The session's recipes.
    sources
        The recordings; give their devices ``speed = inf``.
    by
        What is left out.
    target
        For a continuous decoder, which channels of the truth it says; empty: all.
    first_s
        Tune each model to the first so many seconds of what was left out, and score the rest of
        it; 0: score all of it, as the others' model decodes it.
    controls
        As for `evaluate`: they spoil the truth of what was left out.
    progress
        Is told how far it is.

    Raises
    ------
    DeviceError
        A recording cannot be read.
    Mismatch
        The recordings do not fit the session or each other, or there is too little to fit on.
    """
    taking = _Taking(pipeline, decoder, target, first_s, controls or Controls(), progress)
    done = [taking.fold(key, out, rest) for key, out, rest in folds(sources, by)]
    return summary(by, done)


class _Taking:
    """Takes one after the other out; reads each recording once to fit on."""

    def __init__(
        self,
        pipeline: Pipeline,
        decoder: Decoder,
        target: Sequence[str],
        first_s: float,
        controls: Controls,
        progress: Progress | None,
    ) -> None:
        self._pipeline, self._decoder, self._target = pipeline, decoder, target
        self._first_s = first_s
        self._controls = replace(controls, skip_s=max(first_s, controls.skip_s))
        self._progress = progress
        self._gathered: dict[str, Gathered] = {}

    def fold(self, key: str, left_out: Sequence[Source], rest: Sequence[Source]) -> Fold:
        """Fit on the rest, tune if asked to, and decode what was left out."""
        with one_thread():
            model = self._model(rest)
            if self._first_s:
                model = self._tuned(model, left_out[0])
        result = evaluate(
            model,
            self._pipeline,
            self._decoder,
            [source.device for source in left_out],
            self._target,
            controls=self._controls,
            progress=self._progress,
        )
        names = tuple(source.name for source in left_out)
        return Fold(key, names, len(rest), result.metrics, result.outputs_sha256)

    def _model(self, sources: Sequence[Source]) -> Artifact:
        parts = [self._rows(source) for source in sources]
        sessions = numbered(sources) if isinstance(self._decoder, OfSessions) else ()
        return fitted(
            parts, self._pipeline, self._decoder, self._target, sessions=sessions, scored=False
        )

    def _tuned(self, model: Artifact, source: Source) -> Artifact:
        part = head(self._rows(source), self._first_s)
        return fitted(
            [part], self._pipeline, self._decoder, self._target, parent=model, scored=False
        )

    def _rows(self, source: Source) -> Gathered:
        if source.name not in self._gathered:
            found = gather(source.device, self._pipeline, self._progress)
            self._gathered[source.name] = found
        return self._gathered[source.name]


def summary(by: str, done: Sequence[Fold]) -> LeftOutEvaluation:
    """Return the folds and what they say together.

    Raises
    ------
    Mismatch
        There is none.
    """
    if not done:
        raise Mismatch("there is no recording to evaluate on; name at least two")
    score = _score_of([fold.metrics for fold in done])
    values = [_value(fold.metrics, score) for fold in done]
    pooled = _pooled(done) if "confusion" in done[0].metrics else None
    mean = float(np.mean(values))
    return LeftOutEvaluation(by, tuple(done), score, mean, _student(values, score), pooled)


def _score_of(metrics: Sequence[dict[str, Any]]) -> str:
    for name in ("r2", "phoneme_error_rate"):
        if name in metrics[0]:
            return name
    # Accuracy misleads where one class is rarer.
    rare = all("auc" in m and m["chance"] > 0.6 for m in metrics)
    return "auc" if rare else "accuracy"


def _value(metrics: dict[str, Any], score: str) -> float:
    return float(np.mean(metrics[score]))


def _student(values: Sequence[float], score: str) -> tuple[float, float] | None:
    """Return Student's interval of the mean, as far as the score can be that."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return None
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    mean = float(np.mean(values))
    least, most = _BOUNDS[score]
    return max(least, mean - half), min(most, mean + half)


def _pooled(done: Sequence[Fold]) -> dict[str, Any]:
    """Score the decisions of all folds together; probabilities of two models do not rank."""
    labels = done[0].metrics["labels"]
    truths: list[int] = []
    decisions: list[int | None] = []
    for fold in done:
        for truth, row in enumerate(fold.metrics["confusion"]):
            for said, n in enumerate(row):
                truths += [truth] * n
                decisions += [said if said < len(labels) else None] * n
    return class_scores(truths, decisions, labels)
