"""The rows of recordings with what was meant by them: what a decoder is fitted to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.trials import Trials
from decoders.decoder import Decoder, Training
from decoders.gathering import Gathered
from decoders.pipeline import Pipeline
from decoders.speech.learning import spoken_training
from decoders.stage import Mismatch
from devices.signal import Signal

__all__ = ["FEWEST_TRIALS", "Rows", "training_of", "trial_rows"]

FEWEST_TRIALS = 3
"""That each class needs, to be fitted and checked."""


def training_of(
    gathered: Sequence[Gathered],
    pipeline: Pipeline,
    decoder: Decoder,
    target: Sequence[str] = (),
    sessions: Sequence[int] = (),
    fewest: int = FEWEST_TRIALS,
) -> Training:
    """Return the rows of recordings, with what was meant.

    Parameters
    ----------
    gathered
        The recordings.
    pipeline, decoder, target, sessions
        As for `decoders.calibrating.calibration.calibrate`.
    fewest
        Trials that each class must have.

    Raises
    ------
    Mismatch
        No row has a meaning.
    """
    if decoder.task == "classes":
        fewest = 0 if getattr(decoder, "shares_classes", False) else fewest
        return _class_training(gathered, pipeline, fewest, sessions)
    if decoder.task == "speech":
        return spoken_training(gathered, pipeline.sentences, sessions)
    return _continuous_training(gathered, target, sessions)


def _class_training(
    gathered: Sequence[Gathered], pipeline: Pipeline, fewest: int, sessions: Sequence[int]
) -> Training:
    trials = pipeline.trials
    if trials is None or not trials.labels:
        raise Mismatch(
            "this decoder learns classes from cued trials; the session has no [trials] labels"
        )
    parts = [trial_rows(g, trials) for g in gathered]
    _check_trials(parts, gathered, trials, fewest)
    return _training(gathered, parts, trials.classes, "", sessions)


def _continuous_training(
    gathered: Sequence[Gathered], target: Sequence[str], sessions: Sequence[int]
) -> Training:
    truth = _truth_signal(gathered, target)
    parts = [_truth_rows(g, truth.channels) for g in gathered]
    if not any(len(part.rows) for part in parts):
        raise Mismatch("no sample of the recordings has a truth at its time; nothing to fit on")
    return _training(gathered, parts, truth.channels, truth.unit, sessions)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one recording that mean something: which, what, and in which groups."""

    rows: NDArray[np.int64]
    targets: NDArray[Any]
    groups: NDArray[np.int64]
    ages: NDArray[np.int64] | None = None
    cues: tuple[int, ...] = ()


def _training(
    gathered: Sequence[Gathered],
    parts: Sequence[Rows],
    labels: tuple[str, ...],
    unit: str,
    sessions: Sequence[int],
) -> Training:
    ages = [p.ages for p in parts if p.ages is not None]
    offsets = np.cumsum([0, *(1 + p.groups.max(initial=-1) for p in parts)])
    return Training(
        signal=gathered[0].features,
        features=np.concatenate([g.rows[p.rows] for g, p in zip(gathered, parts, strict=True)]),
        targets=np.concatenate([p.targets for p in parts]),
        groups=np.concatenate(
            [p.groups + offset for p, offset in zip(parts, offsets, strict=False)]
        ),
        labels=labels,
        unit=unit,
        ages=np.concatenate(ages) if ages else None,
        sessions=np.repeat(np.array(sessions, np.int64), [len(part.rows) for part in parts])
        if sessions
        else None,
    )


def trial_rows(gathered: Gathered, trials: Trials) -> Rows:
    """Return the rows of each trial; a trial ends at a gap."""
    rows: list[NDArray[np.int64]] = []
    ages: list[NDArray[np.int64]] = []
    cues: list[int] = []
    targets: list[int] = []
    cued = zip(gathered.events, gathered.event_stretches, strict=True)
    for event, stretch in cued:
        for trial in trials.of([event], gathered.picked.rate_hz):
            inside = (gathered.samples >= trial.first) & (gathered.samples <= trial.last)
            inside &= gathered.stretches == stretch
            if inside.any():
                rows.append(np.flatnonzero(inside))
                ages.append(gathered.samples[inside] - trial.cue)
                targets.append(trials.classes.index(trial.label))
                cues.append(trial.cue)
    lengths = [len(r) for r in rows]
    return Rows(
        np.concatenate([np.empty(0, np.int64), *rows]),
        np.repeat(np.array(targets, np.int64), lengths),
        np.repeat(np.arange(len(rows)), lengths),
        np.concatenate([np.empty(0, np.int64), *ages]),
        tuple(cues),
    )


def _check_trials(
    parts: Sequence[Rows], gathered: Sequence[Gathered], trials: Trials, fewest: int
) -> None:
    counts: Counter[int] = Counter()
    for part in parts:
        _, first = np.unique(part.groups, return_index=True)
        counts.update(part.targets[first].tolist())
    if not counts:
        there = Counter(label for g in gathered for label in g.markers)
        raise Mismatch(
            f"no trial found: [trials] waits for the markers {', '.join(trials.labels)}; the "
            f"recordings have {_listed(there)}, and a trial needs samples for {trials.end_s:g} s "
            "after its marker"
        )
    for index, label in enumerate(trials.classes):
        if counts[index] < fewest:
            found = {name: counts[i] for i, name in enumerate(trials.classes)}
            raise Mismatch(
                f"class {label!r} has {counts[index]} trials; at least {fewest} are "
                f"needed to fit and to check it. Found: {_listed(found)}"
            )


def _truth_signal(gathered: Sequence[Gathered], target: Sequence[str]) -> Signal:
    """Return what the wanted channels of the truth are."""
    found: list[Signal] = []
    for number, g in enumerate(gathered, 1):
        if g.truth is None:
            raise Mismatch(
                f"recording {number} has no truth stream, so there is nothing to fit a continuous "
                "decoder to; name one with [target] stream = …"
            )
        has = g.truth.signal
        wanted = tuple(target) or has.channels
        if missing := [c for c in wanted if c not in has.channels]:
            raise Mismatch(
                f"the truth of recording {number} lacks {', '.join(missing)}; it has "
                f"{', '.join(has.channels)}"
            )
        found.append(Signal(has.rate_hz, wanted, has.unit))
        if found[-1].unit != found[0].unit:
            raise Mismatch(
                f"the truth of recording 1 is in {found[0].unit}, that of recording {number} in "
                f"{found[-1].unit}"
            )
    return found[0]


def _truth_rows(gathered: Gathered, channels: Sequence[str]) -> Rows:
    """Return the rows that have a fresh truth; a group ends at a gap, and where truth is old."""
    if gathered.truth is None:
        raise TypeError("there is no truth")
    columns = [gathered.truth.signal.channels.index(c) for c in channels]
    half_s = 0.5 / gathered.picked.rate_hz
    values, fresh = gathered.truth.at(gathered.times, half_s)
    values = values[:, columns]
    fresh &= np.isfinite(values).all(axis=1)
    starts = fresh & ~np.concatenate([[False], fresh[:-1]])
    starts[1:] |= np.diff(gathered.stretches) > 0
    return Rows(np.flatnonzero(fresh), values[fresh], np.cumsum(starts)[fresh] - 1)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} × {label}" for label, n in counts.items()) or "none"
