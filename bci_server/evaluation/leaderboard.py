"""Decoders beside each other on the same recordings: scored, controlled, timed."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bci_server import catalog
from bci_server.config import Session
from bci_server.evaluation.groups import Source
from bci_server.evaluation.held_out import Score, Split, held_out, training_on
from bci_server.evaluation.step_time import step_ms
from decoders.calibrating.calibration import one_thread
from decoders.decoder import Decoder
from decoders.describe import describe
from decoders.gathering import Gathered, Progress, gather
from decoders.stage import Mismatch
from decoders.training.recipe import Trained

__all__ = [
    "Cell",
    "Times",
    "auc_beside",
    "candidates",
    "compare",
    "measure",
    "of_folds",
    "time_fit_and_step",
]

_STEPS, _CADENCE_S = 150, 0.02


@dataclass(frozen=True)
class Times:
    """How long one decoder takes, and how large it is.

    Parameters
    ----------
    fit_s, model_kb
        Processor time of one fit, and the size of its weights.
    p50_ms, p99_ms
        Of one step of the decoder on its own rows, one each 20 ms, idle between.
    """

    fit_s: float
    model_kb: float
    p50_ms: float
    p99_ms: float

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, rounded to what can be told apart."""
        return {k: _rounded(v) for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Cell:
    """What came of one decoder on some recordings.

    Parameters
    ----------
    score, value, ci95, chance
        What is scored, the mean over the folds, its interval, and what guessing scores.
    n, folds
        Trials (or rows) in all, and the score of each fold.
    control
        The same score when the labels of the training are permuted, or the truth is turned by half
        a minute.
    times
        Of a fit, and of a step.
    auc, auc_ci95
        Of two classes that are scored by accuracy, the mean AUC and its interval; else None.
    """

    score: Score
    value: float
    ci95: tuple[float, float]
    chance: float
    n: int
    folds: Mapping[str, float]
    control: float
    times: Times
    auc: float | None = None
    auc_ci95: tuple[float, float] | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, with the times beside the score, rounded likewise."""
        found = {k: v for k, v in asdict(self).items() if k != "times" and v is not None}
        return {k: _rounded(v) for k, v in found.items()} | self.times.plain()


def candidates(
    session: Session, kinds: Sequence[str] = (), *, networks: bool = False
) -> dict[str, Decoder]:
    """Return the decoders that say what the session's says, by name; its own, as it is set, first.

    Parameters
    ----------
    session
        Whose decoder is in question.
    kinds
        Which; none: all that need no key to be told.
    networks
        Those, too, that are trained for minutes.

    Raises
    ------
    catalog.UnknownKind
        One of the kinds is none.
    """
    own = describe(session.decoder)["kind"]
    found: dict[str, Decoder] = {} if kinds and own not in kinds else {own: session.decoder}
    for kind in kinds or catalog.kinds("decoders"):
        try:
            recipe = catalog.load("decoders", kind)
        except catalog.BrokenPlugin:
            if kinds:
                raise
            continue  # wants a library that is not there
        needed = [f.name for f in dataclasses.fields(recipe) if _is_needed(f)]
        slow = issubclass(recipe, Trained) and not networks and not kinds
        if kind != own and not needed and not slow and recipe.task == session.decoder.task:
            found[kind] = recipe()
    return found


def _is_needed(key: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return key.init and key.default is missing and key.default_factory is missing


def compare(
    session: Session,
    sources: Sequence[Source],
    decoders: Mapping[str, Decoder],
    split: Split = "within",
    score: Score | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, Cell | Mismatch]]:
    """Measure one decoder after the other behind the session's stages; yield each when it is done.

    A decoder that cannot take what the stages put out yields the reason instead.

    Parameters
    ----------
    session
        Its device is not used.
    sources
        The recordings; give their devices ``speed = inf``.
    decoders
        As `candidates` gives them.
    split, score
        What is left out, and what is scored; None: accuracy, or R² of values.
    progress
        Is told how far it is.

    Raises
    ------
    DeviceError
        A recording cannot be read.
    """
    scored = score or ("accuracy" if session.decoder.task == "classes" else "r2")
    with one_thread():
        found = {s.name: gather(s.device, session.pipeline, progress) for s in sources}
        for number, (name, decoder) in enumerate(decoders.items()):
            if progress is not None:
                progress(name, number / len(decoders))
            one = replace(session, decoder=decoder)
            try:
                yield name, measure(one, sources, split, scored, found)
            except Mismatch as why:
                yield name, why


def measure(
    session: Session,
    sources: Sequence[Source],
    split: Split,
    scored: Score,
    found: Mapping[str, Gathered],
) -> Cell:
    """Measure the session's decoder; call it within `one_thread`.

    Parameters
    ----------
    session, sources, split, scored
        As for `compare`.
    found
        The recordings through the session's steps, by name.

    Raises
    ------
    Mismatch
        The decoder cannot be fitted to them.
    """
    scores, control = held_out(session, split, scored, sources, found)
    values = {key: _value(m, scored) for key, m in scores.items()}
    value, ci95 = of_folds([(values[k], _half(m, scored)) for k, m in scores.items()])
    auc, auc_ci95 = auc_beside(list(scores.values()), scored)
    return Cell(
        scored,
        value,
        ci95,
        _chance(list(scores.values()), scored),
        sum(m["n"] for m in scores.values()),
        values,
        float(np.mean([_value(m, scored) for m in control])),
        time_fit_and_step(session, sources, found),
        auc,
        auc_ci95,
    )


def auc_beside(
    metrics: Sequence[Mapping[str, Any]], scored: Score
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean AUC of folds and its interval, where accuracy is scored and there is one."""
    if scored != "accuracy" or not all("auc" in m for m in metrics):
        return None, None
    return of_folds([(_value(m, "auc"), _half(m, "auc")) for m in metrics])


def time_fit_and_step(
    session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]
) -> Times:
    """Time one fit on all recordings, and steps at a real cadence; parameters as for `measure`."""
    training = training_on(session, sources, found)
    begun = time.process_time()
    weights = session.decoder.fit(training)
    fit_s = time.process_time() - begun
    with ThreadPoolExecutor(1) as thread:  # it raises its own priority
        timed = thread.submit(step_ms, session.decoder, training, weights, _CADENCE_S, _STEPS)
        p50, p99 = np.percentile(timed.result(), [50, 99])
    size = sum(np.asarray(a).nbytes for a in weights.values())
    return Times(fit_s, size / 1e3, float(p50), float(p99))


def of_folds(scores: Sequence[tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    """Return the mean of independent scores, and its interval by those of each."""
    mean = float(np.mean([value for value, _ in scores]))
    half = math.sqrt(sum(h**2 for _, h in scores)) / len(scores)
    return mean, (mean - half, min(1.0, mean + half))


def _value(metrics: Mapping[str, Any], scored: Score) -> float:
    if scored not in metrics:
        raise Mismatch(f"there is no {scored} of what this decoder says; AUC wants two classes")
    return float(np.mean(metrics[scored]))


def _half(metrics: Mapping[str, Any], scored: Score) -> float:
    """Return half of the width of the 95 % interval."""
    if scored == "r2":  # of the mean over names
        widths = [(high - low) / 2 for low, high in metrics["ci95"]]
        return float(np.mean(widths))
    low, high = metrics["auc_ci95" if scored == "auc" else "ci95"]
    return float((high - low) / 2)


def _chance(metrics: Sequence[Mapping[str, Any]], scored: Score) -> float:
    if scored == "r2":
        return 0.0
    if scored == "auc":
        return 0.5
    return float(np.mean([m["chance"] for m in metrics]))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
