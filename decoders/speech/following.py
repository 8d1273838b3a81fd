"""Follows what is said in a running session, orders weights that suit it, and lets them take over.

The learner of `decoders.adapting.rules.speech_recalibration`. It trains nothing: it keeps the rows
of the newest utterances with what the language made of them, and gives an `Order` away. What was
made of it comes back as an event, bound to a sample like all that changes a decoder, and takes over
in the next silence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from decoders.adapting.adaptation import Ground, Lesson, Refused, Seen, State
from decoders.decoder import Event, Weights
from decoders.output import Prediction
from decoders.speech.order import Kept, Order, Terms
from decoders.speech.silence import Silence
from decoders.speech.speaking import STEP_S
from decoders.speech.utterance import Utterance
from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES

__all__ = ["Following"]

_BEFORE_S, _AFTER_S = 1.5, 0.3
_LONGEST_S = 40.0
_QUIET = [CLASSES.index(BLANK), CLASSES.index(BOUNDARY)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Which samples an utterance, with the silence around it, lies in, and where it begins."""

    first: int
    begin: int
    last: int
    kept: Kept


class Following:
    """The running state.

    Parameters
    ----------
    ground
        The decoder as it was fitted.
    terms
        How to learn.
    every, keep
        An order is due after so many new utterances; so many are kept.
    pause_s, silence
        Weights change when it has been silent for so long; a step is silent when blank or boundary
        are as likely as this together.
    """

    def __init__(
        self, ground: Ground, terms: Terms, every: int, keep: int, pause_s: float, silence: float
    ) -> None:
        self._ground, self._terms, self._every = ground, terms, every
        rate_hz = ground.features.rate_hz
        self._before, self._after = round(_BEFORE_S * rate_hz), round(_AFTER_S * rate_hz)
        size = round(_LONGEST_S * rate_hz)
        self._rows = np.zeros((size, ground.features.n_channels), np.float32)
        self._samples = np.full(size, -1, np.int64)
        self._n_rows = 0
        self._words: tuple[str, ...] = ()
        self._begin = 0  # rows before are of another stretch, or of an utterance that was kept
        self._kept: deque[_Place] = deque(maxlen=keep)
        self._silence = Silence(max(1, round(pause_s / STEP_S)), silence)
        self._n_new = 0
        self._is_due = False
        self._order: Order | None = None
        self._base: Weights | None = None
        self._number = 0
        self._span = (0, 0, 0)
        self._waiting: Lesson | None = None

    def learn(self, seen: Seen, weights: Weights) -> Lesson | Refused | None:
        """Keep the rows; order weights when they are due; let those that wait take over."""
        self._keep_rows(seen)
        refused = None
        for event in seen.moment.events:
            refused = self._heed(event, weights) or refused
        if refused is not None:
            return refused
        if self._is_due and self._base is None:
            self._give_order(weights)
        for output in seen.outputs:
            if isinstance(output, Prediction):
                self._silence(sum(output.probabilities[k] for k in _QUIET))
        if self._waiting is None or self._silence.speaks:
            return None
        lesson, self._waiting, self._base = self._waiting, None, None
        return lesson

    def hear(self, utterance: Utterance) -> None:
        """Take in an utterance that has ended with this block."""
        self._words = utterance.words
        at = np.arange(max(self._begin, self._n_rows - len(self._rows)), self._n_rows)
        samples = self._samples[at % len(self._rows)]
        begin, end = (int(np.searchsorted(samples, s)) for s in (utterance.first, utterance.last))
        if not utterance.text or not len(at) or samples[0] > utterance.first:
            return  # longer than what is remembered, or begun before a gap
        first = max(0, begin - self._before)
        taken = at[first : end + self._after + 1]
        self._begin = int(taken[-1]) + 1
        kept = Kept(
            self._rows[taken % len(self._rows)],
            begin - first,
            utterance.text,
            utterance.confidence,
        )
        span = self._samples[taken % len(self._rows)]
        self._kept.append(_Place(int(span[0]), utterance.first, int(span[-1]), kept))
        self._n_new += 1
        self._is_due |= self._n_new >= self._every and len(self._kept) >= self._terms.needed

    def take_order(self) -> Order | None:
        """Return the order that was given since the last call, if one was."""
        order, self._order = self._order, None
        return order

    def forget(self) -> None:
        """Let go of what is being said; utterances that have ended stay."""
        self._begin = self._n_rows
        self._silence.cut()

    def state(self) -> State:
        """Return nothing: all that it learns is in the weights."""
        return {}

    def restore(self, state: State) -> None:
        """Forget all that was heard: a version that was wrong may have heard it wrongly."""
        self._kept.clear()
        self._n_new, self._is_due = 0, False
        self.give_up()
        self.forget()

    def give_up(self) -> None:
        """Want no longer what was ordered last."""
        self._order = self._base = self._waiting = None

    def _is_open(self, numbers: tuple[float, ...], weights: Weights) -> bool:
        return self._base is weights and numbers[:1] == (self._number,)

    def _keep_rows(self, seen: Seen) -> None:
        n = len(seen.rows)
        hop = self._ground.hop
        for back, row in enumerate(seen.rows):
            at = self._n_rows % len(self._rows)
            self._rows[at] = row
            self._samples[at] = seen.moment.sample - (n - 1 - back) * hop // n
            self._n_rows += 1

    def _heed(self, event: Event, weights: Weights) -> Refused | None:
        verb, _, rest = event.label.partition(" ")
        match event.kind, verb:
            case "speech", "wrong" if self._kept:
                self._correct(len(self._kept) - 1, rest.strip())
            case "label", _ if event.label:
                earlier = [n for n, place in enumerate(self._kept) if place.begin <= event.sample]
                if earlier:
                    self._correct(earlier[-1], event.label)
            case "adapt", "recalibrate":
                return self._ask()
            case "adapt", "made":
                return self._receive(rest, event.values, weights)
            case "adapt", "unmade" if self._is_open(event.values, weights):
                self.give_up()
                return Refused(rest)
        return None

    def _correct(self, number: int, text: str) -> None:
        """Take in what an utterance was; without words, only that it was not that."""
        place = self._kept[number]
        if text:
            kept = replace(place.kept, text=text, is_told=True)
            self._kept[number] = replace(place, kept=kept)
        else:
            del self._kept[number]

    def _ask(self) -> Refused | None:
        found, needed = len(self._kept), self._terms.needed
        if found < needed:
            return Refused(f"{found} utterances were heard that count; {needed} are needed")
        self._is_due = True
        return None

    def _give_order(self, weights: Weights) -> None:
        fitted = self._ground.weights
        changed = {n: a for n, a in weights.items() if a is not fitted.get(n)}
        kept = tuple(place.kept for place in self._kept)
        self._number += 1
        self._order = Order(
            self._ground.features, kept, self._terms, changed, self._number, words=self._words
        )
        self._base = weights
        self._span = (self._kept[0].first, self._kept[-1].last, sum(len(k.rows) for k in kept))
        self._n_new, self._is_due = 0, False

    def _receive(self, name: str, numbers: tuple[float, ...], weights: Weights) -> Refused | None:
        if not self._is_open(numbers, weights):
            return Refused(f"the weights {name} were made for a version that does not decode now")
        made = self._ground.made.get(name)
        if made is None:
            self.give_up()
            return Refused(f"the weights {name} are not beside the model")
        reason = _why(self._terms.method, *numbers[1:])
        first, last, n_rows = self._span
        self._waiting = Lesson(made, reason, first, last, n_rows, round(numbers[2]), name)
        return None


def _why(
    method: str, n_kept: float, n_learned: float, n_proved: float, before: float, after: float
) -> str:
    if not n_learned:
        return (
            f"settled on the rows of {n_kept:.0f} utterances: the network differs from what the "
            f"language makes of it by {after:.3f}, before by {before:.3f}"
        )
    return (
        f"{method}: {n_learned:.0f} of {n_kept:.0f} utterances; on {n_proved:.0f} others the "
        f"network differs from what was said by {after:.3f}, before by {before:.3f}"
    )
