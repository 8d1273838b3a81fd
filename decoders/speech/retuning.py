"""New weights for a running session, from what was said in it; refused unless they prove better.

Runs beside the session, in a process of its own. The labels are what the language made of each
utterance while it ran, or what somebody said it was; so no language is needed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from decoders.decoder import Decoder, Nudged, Settling, Training, Tunable, Weights
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.gate import Gate, Heard
from decoders.speech.order import Kept, Made, Order, Terms
from decoders.speech.pseudo_labels import outputs_of, unlike
from decoders.speech.recalibration import LEAST_HEARD, check_change
from decoders.speech.running import Language
from decoders.speech.settling import settled_if_better
from decoders.speech.vocabulary import label_of
from decoders.stage import Mismatch
from devices.signal import Signal
from devices.speech.phonemes import CLASSES

__all__ = ["retuned"]


@dataclass(frozen=True, slots=True)
class _Labelled:
    kept: Kept
    heard: Heard
    n_steps: int

    @property
    def counts(self) -> bool:
        """Whether the label could have been said in so many steps."""
        label = self.heard.label
        repeated = sum(one == other for one, other in pairwise(label))
        return 0 < len(label) + repeated <= self.n_steps


def retuned(
    decoder: Decoder, model: Weights, order: Order, language: Language | None = None
) -> Made:
    """Return weights that suit what was said better than those of the version that decodes.

    The network is first brought to the day as far as rows alone tell, where it can be: what it
    hears then is what labels are held against, and where it learns from. Old and new weights are
    judged on the newest utterances of which the labels count (with ``"test_time"``, on the newest
    but the one that it learns from), whose labels taught the new ones nothing here. The new ones
    must differ from the labels by less, by the margin, and by no more than the gate lets a label;
    and they must not have fallen silent. Where too few labels count, as on a day on which the
    version that decodes hears next to nothing, what rows alone tell is all that is taken over, if
    it proves better: see `decoders.speech.settling`.

    Parameters
    ----------
    decoder, model
        The decoder, and its weights as it was calibrated.
    order
        What was said, and how to learn from it.
    language
        Hears again what was said, where too few labels count; None: that is refused.

    Raises
    ------
    Mismatch
        Too few labels count, or what was learned is no better: says the numbers.
    """
    terms = order.terms
    weights = {**model, **order.changed}
    begun = _begun(decoder, weights, order)
    found = [_heard(decoder, begun, order, kept) for kept in order.kept]
    sure = [one for one in found if one is not None and one.counts and _is_sure(one, terms.gate)]
    if begun is not weights and language is not None and len(sure) < terms.needed:
        return settled_if_better(decoder, model, order, begun, language.load())
    learning, proving = _parted(sure, found, terms)
    training = _training(order.features, learning)
    new = {**begun, **_learned(decoder, training, begun, terms)}
    check_change(begun, new, terms.most_change)
    before, after = (
        [one.heard for k in proving if (one := _heard(decoder, w, order, k.kept))]
        for w in (weights, new)
    )
    _check_better(before, after, terms)
    sizes = len(order.kept), len(learning), len(proving)
    return Made(order.differing(new, model), *sizes, unlike(before), unlike(after))


def _begun(decoder: Decoder, weights: Weights, order: Order) -> Weights:
    """Return the weights to learn from: brought to the day as far as rows alone tell."""
    if order.terms.method == "test_time" or not isinstance(decoder, Settling):
        return weights
    rows = np.concatenate([kept.rows for kept in order.kept]).astype(np.float64)
    return {**weights, **decoder.settle(rows, weights)}


def _heard(decoder: Decoder, weights: Weights, order: Order, kept: Kept) -> _Labelled | None:
    """Return an utterance as the network alone hears it; None if its text cannot be said."""
    try:
        label = label_of(kept.text, order.words)
    except ValueError:
        return None
    said = [
        output.probabilities
        for _, outputs in outputs_of(decoder, weights, order.features, kept.rows)
        for output in outputs
        if isinstance(output, Prediction)
    ]
    path = greedy(np.array(said)) if said else ()
    last = len(kept.rows) - 1
    return _Labelled(
        kept, Heard(kept.text, kept.confidence, kept.begin, last, label, path), len(said)
    )


def _is_sure(one: _Labelled, gate: Gate) -> bool:
    # What somebody has said needs no likeness: to be unlike is why it was said.
    return one.kept.is_told or gate.lets(one.heard)


def _parted(
    sure: Sequence[_Labelled], found: Sequence[_Labelled | None], terms: Terms
) -> tuple[Sequence[_Labelled], Sequence[_Labelled]]:
    """Return what is learned from, and what is left out to prove it on."""
    gate, is_step = terms.gate, terms.method == "test_time"
    if len(sure) < terms.needed:
        raise Mismatch(
            f"of {len(found)} utterances, {len(sure)} are sure enough to learn from (confidence "
            f"{gate.confidence:g} or more, differing from the network's own path by "
            f"{gate.most_unlike:g} or less, or told by somebody); "
            f"{terms.needed - terms.proving} are needed, and {terms.proving} to prove it on"
        )
    if not is_step:
        return sure[: len(sure) - terms.proving], sure[len(sure) - terms.proving :]
    if sure[-1] is not found[-1]:
        raise Mismatch("the last utterance is not sure enough to learn from")
    return sure[-1:], sure[-1 - terms.proving : -1]


def _learned(decoder: Decoder, training: Training, weights: Weights, terms: Terms) -> Weights:
    if terms.method == "test_time":
        if not isinstance(decoder, Nudged):
            raise Mismatch(f"{type(decoder).__name__} cannot take one step alone")
        return decoder.nudge(training, weights, copies=terms.copies, step=terms.step)
    if not isinstance(decoder, Tunable):
        raise Mismatch(f"{type(decoder).__name__} cannot be tuned")
    return decoder.tune(training, weights)


def _training(signal: Signal, learning: Sequence[_Labelled]) -> Training:
    groups = np.repeat(np.arange(len(learning)), [len(one.kept.rows) for one in learning])
    ages = [np.arange(len(one.kept.rows)) - one.kept.begin for one in learning]
    return Training(
        signal=signal,
        features=np.concatenate([one.kept.rows for one in learning]).astype(np.float64),
        targets=groups,  # each is taken for itself
        groups=groups,
        labels=CLASSES,
        ages=np.concatenate(ages),
        spoken=np.array([(n, k) for n, one in enumerate(learning) for k in one.heard.label]),
    )


def _check_better(before: Sequence[Heard], after: Sequence[Heard], terms: Terms) -> None:
    was, now = unlike(before), unlike(after)
    n_was, n_now = (sum(len(one.path) for one in heard) for heard in (before, after))
    if now > terms.gate.most_unlike:
        limit = f"more than {terms.gate.most_unlike:g}"
    elif not was - now >= terms.margin:
        limit = f"which is not {terms.margin:g} less"
    elif n_now < LEAST_HEARD * n_was:
        limit = "too few phonemes"
    else:
        return
    raise Mismatch(
        f"on {len(before)} utterances that were left out, the network's paths of {n_now} phonemes "
        f"differ from the labels by {now:.3f}, {limit}; before, {n_was} phonemes by {was:.3f}"
    )
