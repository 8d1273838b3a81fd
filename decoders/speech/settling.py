"""A running session that hears nothing it could learn from is brought nearer by rows alone.

On a day on which the network hears next to nothing, its language makes nothing of it that could
teach. Its rows still say how each feature fires, and what features share (see
`decoders.speech.new_day`). Whether a network that has settled on them hears better is judged by the
language, which hears the same utterances again through both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from decoders.decoder import Decoder, Event, Moment, Weights
from decoders.output import Prediction
from decoders.speech.ctc import greedy
from decoders.speech.gate import Heard
from decoders.speech.order import Kept, Made, Order
from decoders.speech.pseudo_labels import outputs_of, unlike
from decoders.speech.recalibration import LEAST_HEARD
from decoders.speech.running import Loaded
from decoders.speech.vocabulary import label_of
from decoders.stage import Mismatch

__all__ = ["settled_if_better"]

_NOTHING_HEARD = 1.0


def settled_if_better(
    decoder: Decoder, model: Weights, order: Order, settled: Weights, loaded: Loaded
) -> Made:
    """Return weights that have settled on the rows of an order, if a language hears them better.

    What the network says alone must be nearer to what the language makes of it, each of the two
    with its own: by the margin, and near enough to count; as many utterances must count as teach
    anything; and not much less may be heard. Rows say nothing of what was said, so that the same
    utterances may judge them.

    Parameters
    ----------
    decoder, model
        The decoder, and its weights as it was calibrated.
    order
        What was said; of its labels none is looked at.
    settled
        The weights of the version that decodes, settled.
    loaded
        The language.

    Raises
    ------
    Mismatch
        It hears no better: says the numbers.
    """
    weights = {**model, **order.changed}
    before, after = (
        [_reheard(decoder, w, loaded, order, kept) for kept in order.kept]
        for w in (weights, settled)
    )
    gate = order.terms.gate
    n_sure = sum(gate.lets(one) for one in after)
    was, now = _unlike(before), _unlike(after)
    n_was, n_now = (sum(len(one.path) for one in heard) for heard in (before, after))
    is_near = n_sure >= gate.fewest and now <= gate.most_unlike
    if not is_near or not was - now >= order.terms.margin or n_now < LEAST_HEARD * n_was:
        raise Mismatch(
            f"too few of {len(order.kept)} utterances are sure enough to learn from, and settled "
            f"on their rows {n_sure} are, of {gate.fewest} needed; there the network's paths of "
            f"{n_now} phonemes differ from what the language makes of them by {now:.3f}; before, "
            f"{n_was} phonemes by {was:.3f}"
        )
    return Made(order.differing(settled, model), len(order.kept), 0, len(after), was, now)


def _unlike(heard: list[Heard]) -> float:
    return min(unlike(heard), _NOTHING_HEARD)


def _reheard(decoder: Decoder, weights: Weights, loaded: Loaded, order: Order, kept: Kept) -> Heard:
    """Return what the network says of an utterance, and what the language makes of that."""
    speaking = loaded.start(order.features.rate_hz, 1)
    added = tuple(Event(-1, f"word {word}", "", "speech") for word in order.words)
    speaking((), Moment(-1, 0.0, added))
    last, said = len(kept.rows) - 1, []
    for moment, outputs in outputs_of(decoder, weights, order.features, kept.rows):
        said += [o.probabilities for o in outputs if isinstance(o, Prediction)]
        ends = (Event(last, "finalize", "", "speech"),) if moment.sample == last else ()
        speaking(outputs, replace(moment, events=ends))
    text = " ".join(one.text for one in speaking.utterances if one.text)
    label = label_of(text, order.words) if text else ()
    sure = min((one.confidence for one in speaking.utterances), default=0.0)
    return Heard(text, sure, 0, last, label, greedy(np.array(said)) if said else ())
