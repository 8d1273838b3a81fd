"""How good decisions without a cue are, beside the error rate that was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from decoders.deciding.trials import Trial
from decoders.scoring.scores import wilson

__all__ = ["Listened", "meant_at", "uncued_scores"]


@dataclass(frozen=True, slots=True)
class Listened:
    """One recording.

    Parameters
    ----------
    rate_hz, last
        Samples a second, and the index of the last one.
    trials
        What was wanted, and when.
    decisions
        Sample and label of each.
    """

    rate_hz: float
    last: int
    trials: Sequence[Trial]
    decisions: Sequence[tuple[int, str]]


def uncued_scores(stated: float, idle: str, recordings: Sequence[Listened]) -> dict[str, Any]:
    """Score decisions that nobody asked for.

    One is right if it is what was wanted when it fell: in a trial, from its cue to its end, the
    trial's class. Windows look back: until the first block that counts for a trial, the class of
    the one before is right, too. Outside of trials nothing is wanted.

    Returns
    -------
    ``stated`` (error rate), ``decisions`` and ``wrong`` (how many), ``error_rate`` and its
    ``ci95`` (Wilson), ``false_per_minute`` (decisions a minute of idleness), ``idle_minutes``,
    ``wishes`` (trials that are not idle), ``answered`` (the share of them with a right decision)
    and ``median_s`` (from their cues to it).
    """
    n = wrong = false = n_wishes = 0
    idle_s = 0.0
    waits_s: list[float] = []
    for recording in recordings:
        trials = sorted(recording.trials, key=lambda t: t.cue)
        idle_s += _idle_samples(recording, idle) / recording.rate_hz
        n_wishes += sum(t.label != idle for t in trials)
        answered: set[int] = set()
        for sample, label in recording.decisions:
            meant = meant_at(trials, sample)
            n += 1
            right = next((t for t in meant if t.label == label), None)
            wrong += right is None
            false += all(t.label == idle for t in meant)
            if right is not None and right.cue not in answered:
                answered.add(right.cue)
                waits_s.append((sample - right.cue) / recording.rate_hz)
    return {
        "stated": stated,
        "decisions": n,
        "wrong": wrong,
        "error_rate": wrong / n if n else 0.0,
        "ci95": list(wilson(wrong, n)) if n else [0.0, 1.0],
        "false_per_minute": 60 * false / idle_s if idle_s else None,
        "idle_minutes": idle_s / 60,
        "wishes": n_wishes,
        "answered": len(waits_s) / n_wishes if n_wishes else None,
        "median_s": float(np.median(waits_s)) if waits_s else None,
    }


def meant_at(trials: Sequence[Trial], sample: int) -> list[Trial]:
    """Return the trial that a decision may answer, and the one before while that still counts."""
    begun = [t for t in trials if t.cue <= sample]
    if not begun:
        return []
    now = begun[-1]
    meant = [now] if sample <= now.last + (now.first - now.cue) else []
    if sample < now.first and len(begun) > 1 and sample <= begun[-2].last + (now.first - now.cue):
        meant.append(begun[-2])
    return meant


def _idle_samples(recording: Listened, idle: str) -> int:
    wanted = sum(min(t.last, recording.last) - t.cue for t in recording.trials if t.label != idle)
    return recording.last + 1 - wanted
