"""One decoder on one set: scored, controlled, timed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bci_server.config import Session, session_of
from bci_server.evaluate import Controls, evaluate
from bci_server.groups import Source, folds, numbered
from benchmarks.decoder_steps import step_ms
from benchmarks.leaderboard.sets import ROOT, RecordedSet
from benchmarks.leaderboard.variants import Variant
from decoders.artifact import Artifact
from decoders.calibration import fitted, one_thread, training_of
from decoders.cross_validation import cross_validate, leave_out, score
from decoders.decoder import OfSessions, Training
from decoders.describe import describe_pipeline
from decoders.gathering import Gathered, gather
from decoders.stopping import EvidenceKind

__all__ = ["Cell", "measure", "of_folds"]

SHIFT_S = 30.0
STEPS, CADENCE_S = 60, 0.02


@dataclass(frozen=True)
class Cell:
    """What came of one decoder on one set.

    Parameters
    ----------
    score, value, ci95, chance
        What is scored, the mean over the folds, its interval, and what guessing scores.
    n, folds
        Trials (or rows) in all, and the score of each fold.
    control
        The same score when the labels of the training are permuted, or the truth is turned by half
        a minute.
    fit_s, model_kb
        Processor time of one fit, and the size of its weights.
    p50_ms, p99_ms
        Of one step of the decoder on its own rows, one each 20 ms, idle between.
    """

    score: str
    value: float
    ci95: tuple[float, float]
    chance: float
    n: int
    folds: Mapping[str, float]
    control: float
    fit_s: float
    model_kb: float
    p50_ms: float
    p99_ms: float

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, rounded to what can be told apart."""
        return {k: _rounded(v) for k, v in asdict(self).items()}


def described(recorded: RecordedSet, variant: Variant) -> dict[str, Any]:
    """Return the session file of this decoder on this set."""
    import tomllib

    file = ROOT / "examples" / "sessions" / f"{recorded.session}.toml"
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    for changes in (recorded.changes, variant.changes or {}):
        for section, keys in changes.items():
            document[section] = {**document.get(section, {}), **keys}
    if variant.stages is not None:
        document["stages"] = [dict(stage) for stage in variant.stages]
    document["decoder"] = {**(variant.decoder or document["decoder"]), "model": "unused"}
    document.pop("commands", None)
    return document


def measure(recorded: RecordedSet, variant: Variant, folder: Path) -> Cell:
    """Measure one cell; `folder` keeps what the set is converted to."""
    session = session_of(described(recorded, variant), folder)
    sources = recorded.sources(folder)
    with one_thread():
        found = _gathered(recorded.name, session, sources)
        if recorded.split == "within":
            scores, control = _within(session, sources, found)
        else:
            scores, control = _left_out(session, recorded, sources, found)
        fit_s, training, weights = _fit(session, sources, found)
        with ThreadPoolExecutor(1) as thread:  # it raises its own priority
            timed = thread.submit(step_ms, session.decoder, training, weights, CADENCE_S, STEPS)
            took = timed.result()
    p50, p99 = np.percentile(took, [50, 99])
    values = {key: _value(m, recorded.score) for key, m in scores.items()}
    value, ci95 = of_folds([(values[k], _half(m, recorded.score)) for k, m in scores.items()])
    return Cell(
        recorded.score,
        value,
        ci95,
        _chance(list(scores.values()), recorded.score),
        sum(m["n"] for m in scores.values()),
        values,
        float(np.mean([_value(m, recorded.score) for m in control])),
        fit_s,
        sum(np.asarray(a).nbytes for a in weights.values()) / 1e3,
        float(p50),
        float(p99),
    )


_LAST: dict[str, dict[str, Gathered]] = {}


def _gathered(name: str, session: Session, sources: Sequence[Source]) -> dict[str, Gathered]:
    """Return the recordings through the steps; decoders behind the same steps share them."""
    key = f"{name} {describe_pipeline(session.pipeline)} {session.pipeline.channels}"
    if key not in _LAST:
        if len(_LAST) > 2:
            _LAST.pop(next(iter(_LAST)))
        _LAST[key] = {s.name: gather(s.device, session.pipeline) for s in sources}
    return _LAST[key]


def _within(
    session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    training = _training(session, sources, found)
    evidence = _evidence(session)
    scores = cross_validate(session.decoder, training, evidence=evidence)
    spoiled = cross_validate(session.decoder, _spoiled(training, 1), evidence=evidence)
    return {"within": scores}, [spoiled]


def _left_out(
    session: Session,
    recorded: RecordedSet,
    sources: Sequence[Source],
    found: Mapping[str, Gathered],
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    if recorded.split == "first":
        planned = [("rest", list(sources[1:]), list(sources[:1]))]
    elif recorded.split == "within":
        raise AssertionError("cross-validated, not left out")
    else:
        planned = folds(sources, recorded.split)
    scores, control = {}, []
    for number, (key, left_out, rest) in enumerate(planned):
        model = _model(session, rest, found)
        scores[key] = _decoded(session, model, left_out)
        if recorded.score == "r2":
            control.append(_decoded(session, model, left_out, Controls(shift_s=SHIFT_S)))
        else:
            control.append(_control(session, rest, left_out, found, number))
    return scores, control


def _control(
    session: Session,
    rest: Sequence[Source],
    left_out: Sequence[Source],
    found: Mapping[str, Gathered],
    seed: int,
) -> dict[str, Any]:
    """Fit on permuted labels, and ask for the true ones."""
    spoiled = {s.name: permuted(found[s.name], session, seed) for s in rest}
    weights = _model(session, rest, spoiled).weights
    asked = replace(_training(session, left_out, found), sessions=None)
    said = leave_out(session.decoder, asked, fit=lambda _: weights)
    return score(session.decoder, asked, said, _evidence(session))


def _evidence(session: Session) -> EvidenceKind:
    trials = session.pipeline.trials
    return "sum" if trials is None else trials.evidence


def _model(session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]) -> Artifact:
    return fitted(
        [found[s.name] for s in sources],
        session.pipeline,
        session.decoder,
        session.target.channels if session.target else (),
        sessions=numbered(sources) if isinstance(session.decoder, OfSessions) else (),
        scored=False,
    )


def _decoded(
    session: Session, model: Artifact, sources: Sequence[Source], controls: Controls | None = None
) -> dict[str, Any]:
    result = evaluate(
        model,
        session.pipeline,
        session.decoder,
        [s.device for s in sources],
        session.target.channels if session.target else (),
        controls=controls,
    )
    return result.metrics


def permuted(gathered: Gathered, session: Session, seed: int) -> Gathered:
    """Return a recording whose cues are dealt anew among its trials."""
    trials = session.pipeline.trials
    cued = [i for i, e in enumerate(gathered.events) if trials and e.label in trials.labels]
    order = np.random.default_rng(seed).permutation(cued)
    events = list(gathered.events)
    for i, other in zip(cued, order, strict=True):
        events[i] = replace(events[i], label=gathered.events[other].label)
    return replace(gathered, events=tuple(events))


def _spoiled(training: Training, seed: int) -> Training:
    """Return a training whose trials' classes are dealt anew."""
    trials, first = np.unique(training.groups, return_index=True)
    truths = training.targets[first]
    dealt = np.random.default_rng(seed).permutation(truths)
    at = np.searchsorted(trials, training.groups)
    return replace(training, targets=dealt[at])


def _training(
    session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]
) -> Training:
    sessions = numbered(sources) if isinstance(session.decoder, OfSessions) else ()
    target = session.target.channels if session.target else ()
    parts = [found[s.name] for s in sources]
    return training_of(parts, session.pipeline, session.decoder, target, sessions)


def _fit(
    session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]
) -> tuple[float, Training, Any]:
    training = _training(session, sources, found)
    begun = time.process_time()
    weights = session.decoder.fit(training)
    return time.process_time() - begun, training, weights


def of_folds(scores: Sequence[tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    """Return the mean of independent scores, and its interval by those of each."""
    mean = float(np.mean([value for value, _ in scores]))
    half = math.sqrt(sum(h**2 for _, h in scores)) / len(scores)
    return mean, (mean - half, min(1.0, mean + half))


def _value(metrics: Mapping[str, Any], score: str) -> float:
    return float(np.mean(metrics[score]))


def _half(metrics: Mapping[str, Any], score: str) -> float:
    """Return half of the width of the 95 % interval."""
    if score == "r2":  # of the mean over names
        widths = [(high - low) / 2 for low, high in metrics["ci95"]]
        return float(np.mean(widths))
    low, high = metrics["auc_ci95" if score == "auc" else "ci95"]
    return float((high - low) / 2)


def _chance(metrics: Sequence[Mapping[str, Any]], score: str) -> float:
    if score == "auc":
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
