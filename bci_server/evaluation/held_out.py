"""One decoder on trials, recordings, sessions or persons that it was not fitted on.

Beside it a negative control: the same once more, with the truth permuted or turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from bci_server.config import Session
from bci_server.evaluation.evaluate import Controls, evaluate_each
from bci_server.evaluation.groups import Source, folds, numbered
from decoders.artifact import Artifact
from decoders.calibrating.calibration import fitted
from decoders.calibrating.cross_validation import cross_validate, leave_out, score
from decoders.calibrating.training_rows import training_of
from decoders.deciding.stopping import EvidenceKind
from decoders.decoder import OfSessions, Training
from decoders.gathering import Gathered

__all__ = ["Score", "Split", "held_out", "training_on"]

Split = Literal["within", "recording", "session", "person", "first"]
"""``within``: blocks of trials (or of rows) are left out of all recordings together. ``recording``,
``session``, ``person``: one is left out, as by ``bci evaluate --leave-out``. ``first``: the first
recording is fitted on, the others are decoded."""

Score = Literal["accuracy", "auc", "r2"]

_SHIFT_S = 30.0

_Scores = tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]


def held_out(
    session: Session,
    split: Split,
    scored: Score,
    sources: Sequence[Source],
    found: Mapping[str, Gathered],
) -> _Scores:
    """Return the metrics of the session's decoder on each fold, and those of the controls.

    Parameters
    ----------
    session
        Its device is not used.
    split, scored
        What is left out, and what is scored.
    sources
        The recordings.
    found
        The recordings through the session's steps, by name.

    Raises
    ------
    Mismatch
        The decoder cannot be fitted to them.
    """
    leaving = _within if split == "within" else _left_out
    return leaving(session, split, scored, sources, found)


def training_on(
    session: Session, sources: Sequence[Source], found: Mapping[str, Gathered]
) -> Training:
    """Return what the session's decoder is fitted on; parameters as for `held_out`."""
    sessions = numbered(sources) if isinstance(session.decoder, OfSessions) else ()
    target = session.target.channels if session.target else ()
    parts = [found[s.name] for s in sources]
    return training_of(parts, session.pipeline, session.decoder, target, sessions)


def _within(
    session: Session,
    split: Split,
    scored: Score,
    sources: Sequence[Source],
    found: Mapping[str, Gathered],
) -> _Scores:
    training = training_on(session, sources, found)
    evidence = _evidence(session)
    scores = cross_validate(session.decoder, training, evidence=evidence)
    spoiled = _turned(training) if scored == "r2" else _dealt_anew(training, 1)
    return {"within": scores}, [cross_validate(session.decoder, spoiled, evidence=evidence)]


def _left_out(
    session: Session,
    split: Split,
    scored: Score,
    sources: Sequence[Source],
    found: Mapping[str, Gathered],
) -> _Scores:
    if split == "first":
        planned = [("rest", list(sources[1:]), list(sources[:1]))]
    elif split == "within":
        raise AssertionError("cross-validated, not left out")
    else:
        planned = folds(sources, split)
    scores, control = {}, []
    for number, (key, left_out, rest) in enumerate(planned):
        model = _model(session, rest, found)
        if scored == "r2":
            spoiled = Controls(shift_s=_SHIFT_S)
            scores[key], shifted = _decoded(session, model, left_out, Controls(), spoiled)
            control.append(shifted)
        else:
            (scores[key],) = _decoded(session, model, left_out, Controls())
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
    spoiled = {s.name: _permuted(found[s.name], session, seed) for s in rest}
    weights = _model(session, rest, spoiled).weights
    asked = replace(training_on(session, left_out, found), sessions=None)
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
    session: Session, model: Artifact, sources: Sequence[Source], *controls: Controls
) -> list[dict[str, Any]]:
    results = evaluate_each(
        model,
        session.pipeline,
        session.decoder,
        [s.device for s in sources],
        session.target.channels if session.target else (),
        controls=controls,
    )
    return [result.metrics for result in results]


def _permuted(gathered: Gathered, session: Session, seed: int) -> Gathered:
    """Return a recording whose cues are dealt anew among its trials."""
    trials = session.pipeline.trials
    cued = [i for i, e in enumerate(gathered.events) if trials and e.label in trials.labels]
    order = np.random.default_rng(seed).permutation(cued)
    events = list(gathered.events)
    for i, other in zip(cued, order, strict=True):
        events[i] = replace(events[i], label=gathered.events[other].label)
    return replace(gathered, events=tuple(events))


def _dealt_anew(training: Training, seed: int) -> Training:
    """Return a training whose trials' classes are dealt anew."""
    trials, first = np.unique(training.groups, return_index=True)
    truths = training.targets[first]
    dealt = np.random.default_rng(seed).permutation(truths)
    at = np.searchsorted(trials, training.groups)
    return replace(training, targets=dealt[at])


def _turned(training: Training) -> Training:
    """Return a training whose truth is turned by half a minute, or half of what there is."""
    n = len(training.targets)
    rows = min(round(_SHIFT_S * training.signal.rate_hz), n // 2)
    return replace(training, targets=np.roll(training.targets, rows, axis=0))
