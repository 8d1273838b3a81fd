"""A model is brought to a new day by what it heard there itself, if that proves better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from decoders.decoder import Settling, Tunable, Weights
from decoders.gathering import Gathered
from decoders.speech.gate import Gate, Heard
from decoders.speech.language import Loaded
from decoders.speech.pseudo_labels import hear, labelled, unlike
from decoders.stage import Mismatch

__all__ = ["LEAST_HEARD", "Recalibrated", "check_change", "recalibrate"]

_SHARE = 0.25
LEAST_HEARD = 0.7
"""Of what a model heard before, the least that it must hear when it has learned."""


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """What came of it.

    Parameters
    ----------
    weights
        The new ones.
    n_heard, n_learned
        Utterances that were heard, and those whose labels counted, in the last round.
    unlike_before, unlike_after
        On utterances that were not learned from: how much the network's best paths differ from
        what the language makes of them, with the weights of before and with the new ones.
    """

    weights: Weights
    n_heard: int
    n_learned: int
    unlike_before: float
    unlike_after: float


def recalibrate(
    decoder: Tunable,
    weights: Weights,
    loaded: Loaded,
    gathered: Gathered,
    gate: Gate | None = None,
    *,
    rounds: int = 3,
    most_change: float = 1.0,
) -> Recalibrated:
    """Tune a model to a recording without labels.

    It is brought to the recording as far as rows alone tell, where the decoder can be. In each
    round it hears the first three quarters, and learns from what passes the gate: each time from
    there, so that what the first round took wrong is not carried on. The last quarter is the
    shadow's: there the new weights must hear as much as those of before, and what the network says
    alone must be nearer to what the language makes of it. No cue is looked at.

    Parameters
    ----------
    decoder, weights
        The model.
    loaded
        The language.
    gathered
        The recording, through the steps.
    gate
        Which labels count.
    rounds
        How often it hears and learns.
    most_change
        What labels teach may not move by more than this part of its size (Frobenius norms).

    Raises
    ------
    Mismatch
        Too few labels count, a weight moved too far, or the new weights are no better: the model
        stays as it is. Says the numbers.
    """
    gate = gate or Gate()
    part = round(len(gathered.rows) * (1 - _SHARE))
    learning, proving = _rows(gathered, 0, part), _rows(gathered, part, len(gathered.rows))
    begun = decoder.settle(gathered.rows, weights) if isinstance(decoder, Settling) else weights
    new, heard, kept = begun, [], []
    for _ in range(rounds):
        heard = hear(decoder, new, loaded, learning)
        kept = [one for one in heard if gate.lets(one)]
        _check_labels(heard, kept, gate)
        new = {**begun, **decoder.tune(labelled(learning, kept), begun)}
        check_change(begun, new, most_change)
    before, after = (hear(decoder, w, loaded, proving) for w in (weights, new))
    _check_better(before, after)
    return Recalibrated(new, len(heard), len(kept), unlike(before), unlike(after))


def _rows(gathered: Gathered, begin: int, end: int) -> Gathered:
    kept = slice(begin, end)
    return replace(
        gathered,
        rows=gathered.rows[kept],
        samples=gathered.samples[kept],
        times=gathered.times[kept],
        stretches=gathered.stretches[kept],
    )


def _check_labels(heard: Sequence[Heard], kept: Sequence[Heard], gate: Gate) -> None:
    if len(kept) < gate.fewest:
        raise Mismatch(
            f"of {len(heard)} utterances that were heard, {len(kept)} are sure enough to learn "
            f"from (confidence {gate.confidence:g} or more, differing from the network's own path "
            f"by {gate.most_unlike:g} or less); {gate.fewest} are needed. The model stays as it is"
        )


def check_change(weights: Weights, new: Weights, most_change: float) -> None:
    """Refuse weights that have moved too far from those that they were learned from.

    Raises
    ------
    Mismatch
        What changed did so by more than `most_change` of its size, or is not finite.
    """
    changed = [
        name
        for name, array in new.items()
        if np.issubdtype(array.dtype, np.floating) and not np.array_equal(weights[name], array)
    ]
    # Together: a bias that is near 0 has no size of its own to be measured by.
    size = float(np.sqrt(sum(np.square(weights[name]).sum() for name in changed)))
    moved = float(
        np.sqrt(sum(np.square(np.subtract(new[name], weights[name])).sum() for name in changed))
    )
    if not moved <= most_change * size:
        raise Mismatch(
            f"{' and '.join(changed)} moved by {moved / size:.2f} of their size, more than "
            f"{most_change:g}. The model stays as it is"
        )


def _check_better(before: Sequence[Heard], after: Sequence[Heard]) -> None:
    was, now = unlike(before), unlike(after)
    n_was, n_now = (sum(len(one.path) for one in heard) for heard in (before, after))
    if not now < was or n_now < LEAST_HEARD * n_was:
        raise Mismatch(
            f"on what was left out, the network's paths of {n_now} phonemes differ from what the "
            f"language makes of them by {now:.3f}; with the model of before {n_was} phonemes by "
            f"{was:.3f}. It stays as it is"
        )
