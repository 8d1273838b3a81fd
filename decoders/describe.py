"""A recipe as plain data: what a model's manifest keeps of the stages and the decoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from decoders.pipeline import Pipeline
from decoders.stage import Chain

__all__ = ["describe", "describe_pipeline", "differences", "stated"]


def describe(recipe: object) -> dict[str, Any]:
    """Return the kind of a stage or decoder (the name of its file) and all its parameters."""
    if not is_dataclass(recipe):
        raise TypeError(f"a recipe is a dataclass, not {type(recipe).__name__}")
    kind = type(recipe).__module__.rpartition(".")[2]
    return {"kind": kind} | {f.name: _plain(getattr(recipe, f.name)) for f in fields(recipe)}


def stated(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a session file would say: no key without a value, and infinity as a number."""
    infinite = {"inf": math.inf, "-inf": -math.inf}
    return {
        key: infinite.get(value, value) if isinstance(value, str) else value
        for key, value in recipe.items()
        if value is not None
    }


def describe_pipeline(pipeline: Pipeline) -> dict[str, Any]:
    """Return the hop, the stages, the trials and more.

    Channels belong to the signal. A language belongs to nobody's model: it may change.
    """
    trials, lost = pipeline.trials, pipeline.lost_channels
    more = {
        "lost_channels": lost,
        "probabilities": pipeline.probabilities,
        "uncued": pipeline.uncued,
        "sentences": pipeline.sentences,
    }
    described = {name: describe(recipe) for name, recipe in more.items() if recipe is not None}
    return described | {
        "hop_s": pipeline.hop_s,
        "stages": [describe(stage) for stage in pipeline.stages.stages],
        "trials": None
        if trials is None
        else {
            "labels": dict(trials.labels),
            "start_s": trials.start_s,
            "end_s": trials.end_s,
            "idle": trials.idle,
            "stop_error": trials.stop_error,
            "evidence": trials.evidence,
        },
    }


def differences(fitted: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return, in words, how one description departs from another: ``order = 4, now 2``."""
    if fitted["kind"] != now["kind"]:
        return [f"kind = {fitted['kind']!r}, now {now['kind']!r}"]
    names = [*fitted, *(name for name in now if name not in fitted)]
    return [
        f"{name} = {fitted.get(name)!r}, now {now.get(name)!r}"
        for name in names
        if fitted.get(name) != now.get(name)
    ]


def _plain(value: Any) -> Any:
    """Return `value` as JSON would give it back."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"  # JSON has no word for it
    if isinstance(value, Chain):
        return [describe(stage) for stage in value.stages]
    if is_dataclass(value) and not isinstance(value, type):
        return describe(value)
    return value
