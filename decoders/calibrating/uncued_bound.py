r"""How much evidence is enough for a decision without a cue: what left-out stretches show.

Whole stretches of the recordings, with the pauses and the changes between trials in them, are left
out of a fit and listened to at many bounds; each decision is judged as `uncued_scores` judges those
of a session. Of the bounds, from the highest one down at which half of the wishes are answered,
each must show the error rate :math:`\varepsilon`:

.. math:: P(B \le k) \le \alpha, \quad B \sim \text{Binomial}(n, \varepsilon)

with n trials that a decision fell in and k, n times the share of wrong decisions; the one before
the first that does not is taken. Since the bounds are tested in an order that was fixed before, and
none after the first failure, that the error rate holds is wrong with probability
:math:`\alpha` = 0.1 at most, for what is like the calibration (Clopper & Pearson, Biometrika 26,
1934; Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk
control", Ann. Appl. Stat. 19, 2025). Decisions of one trial are alike, so trials are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.deciding.probabilities import map_of
from decoders.deciding.trials import Trial, Trials
from decoders.deciding.uncued import BOUND, Uncued, steps
from decoders.decoder import Decoder, Decoding, Moment, OfSessions, Training, Weights
from decoders.gathering import Gathered
from decoders.output import Prediction
from decoders.scoring.uncued_scores import Listened, meant_at, uncued_scores
from decoders.stage import Mismatch
from devices.signal import Chunk

__all__ = ["LeftOut", "evidence_bound", "fit_bound"]

_ALPHA = 0.1
_LEAST_ANSWERED = 0.5
"""Bounds at which fewer wishes are answered are of no use, and are not tried."""
_FINER = 1.2
"""Bounds are tried so close to each other."""
_PARTS = 5
_FEWEST_RECORDINGS = 3


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stretch that was left out: what was said of each of its blocks, and what was wanted.

    Parameters
    ----------
    rate_hz
        Samples a second.
    samples
        (n_blocks,) of each block's end, counted from where the stretch begins.
    probabilities
        (n_blocks, n_classes).
    trials
        What was wanted, and when.
    """

    rate_hz: float
    samples: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    trials: Sequence[Trial]


def evidence_bound(
    recipe: Uncued,
    trials: Trials | None,
    decoder: Decoder,
    gathered: Sequence[Gathered],
    training_of: Callable[[Sequence[Gathered]], Training],
    fit: Callable[[Training], Weights],
    weights: Weights,
    sessions: Sequence[int],
    block_s: float,
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Fit how much evidence is enough; return it as weights, and what it showed.

    Parameters
    ----------
    recipe, trials, decoder
        The sections of the session.
    gathered
        The recordings. Three or more, each with all classes: one is left out at a time; else a
        fifth of each.
    training_of, fit
        Make a training of recordings, and fit to it.
    weights
        With the map of probabilities, if there is one.
    sessions
        Of each recording, as for `calibrate`.
    block_s
        From one block to the next.

    Raises
    ------
    Mismatch
        There are no classes, none of them is idle, or the error rate cannot be shown.
    """
    if trials is None or decoder.task != "classes":
        raise Mismatch("[uncued] needs a decoder of classes, and [trials] to learn from")
    through = map_of(weights)
    heard = []
    for fitted_on, of_one, number in _left_out(gathered, trials, decoder):
        training = training_of(fitted_on)
        own = fit(training)
        if training.sessions is not None and isinstance(decoder, OfSessions):
            own = decoder.of_session(own, sessions[number])
        said = _said(decoder, training, own, of_one)
        rows = said if through is None else [(s, through(p)) for s, p in said]
        if rows:
            samples, probabilities = zip(*rows, strict=True)
            cued = trials.of(of_one.events, of_one.picked.rate_hz)
            heard.append(_from_start(of_one, np.array(samples), np.array(probabilities), cued))
    bound, found = fit_bound(recipe, trials.classes, trials.idle, heard, block_s)
    return {BOUND: np.array([bound])}, found


def fit_bound(
    recipe: Uncued, labels: Sequence[str], idle: str, heard: Sequence[LeftOut], block_s: float
) -> tuple[float, dict[str, Any]]:
    """Return the least bound at which what was left out shows the stated error rate.

    With it come `uncued_scores` of what was left out, and ``shown``: the error rate that the next
    decisions do not pass, with a confidence of 90 %.

    Raises
    ------
    Mismatch
        There is no such bound; says how close it came.
    """
    if idle not in labels or len(labels) < 2:
        raise Mismatch(
            "decisions without a cue need a class for when nothing is wanted: say which of "
            f"{', '.join(labels)} it is with [trials] idle"
        )
    added = [steps(h.probabilities) for h in heard]
    tried: list[_Found] = []
    bound = math.log((1 - recipe.error_rate) / recipe.error_rate)
    while True:
        found = _Found(recipe, labels, idle, heard, added, bound, block_s)
        if tried and (found.scores["answered"] or 0.0) < _LEAST_ANSWERED:
            break
        tried.append(found)
        bound *= _FINER
    shown = None
    for found in reversed(tried):
        if found.upper > recipe.error_rate:
            break
        shown = found
    if shown is None:
        raise Mismatch(_not_shown(recipe, tried[-1]))
    return shown.bound, {**shown.scores, "shown": shown.upper}


class _Found:
    """What a bound does to what was left out.

    Parameters
    ----------
    added
        Of each stretch, what each block says for each class.
    """

    def __init__(
        self,
        recipe: Uncued,
        labels: Sequence[str],
        idle: str,
        heard: Sequence[LeftOut],
        added: Sequence[list[list[float]]],
        bound: float,
        block_s: float,
    ) -> None:
        self.bound = bound
        listened = []
        self.n = 0
        for one, its in zip(heard, added, strict=True):
            listening = recipe.start(labels, idle, bound, block_s)
            said = zip(one.samples.tolist(), map(listening.add, its), strict=True)
            decisions = [(sample, label) for sample, label in said if label is not None]
            last = int(one.samples[-1]) if len(one.samples) else 0
            listened.append(Listened(one.rate_hz, last, one.trials, decisions))
            self.n += len({_trial_of(one.trials, sample) for sample, _ in decisions})
        self.scores = uncued_scores(recipe.error_rate, idle, listened)

    @property
    def upper(self) -> float:
        """The error rate that is not passed, with a confidence of 1 - alpha."""
        from scipy.stats import beta

        wrong = self.n * self.scores["error_rate"]
        return float(beta.ppf(1 - _ALPHA, wrong + 1, self.n - wrong)) if wrong < self.n else 1.0


def _trial_of(trials: Sequence[Trial], sample: int) -> int:
    """Return the cue of the trial that a decision fell in; its own sample, outside of any."""
    meant = meant_at(trials, sample)
    return meant[0].cue if meant else -1 - sample


def _not_shown(recipe: Uncued, best: _Found) -> str:
    scores = best.scores
    fewest = math.ceil(math.log(_ALPHA) / math.log(1 - recipe.error_rate))
    return (
        f"an error rate of {recipe.error_rate:g} cannot be shown on these recordings: of "
        f"{scores['decisions']} decisions in {best.n} trials that were left out, {scores['wrong']} "
        f"were wrong, which shows {best.upper:.2f}; without a wrong one, {fewest} trials would "
        "do. Record more trials, or ask for less: [uncued] error_rate"
    )


def _left_out(
    gathered: Sequence[Gathered], trials: Trials, decoder: Decoder
) -> Iterator[tuple[list[Gathered], Gathered, int]]:
    """Yield what is fitted on, the stretch that is left out, and the recording that it is of."""
    of_each = [{trials.labels.get(e.label, "") for e in g.events} - {""} for g in gathered]
    whole = len(gathered) >= _FEWEST_RECORDINGS and not isinstance(decoder, OfSessions)
    if whole and all(found == set(trials.classes) for found in of_each):
        for number, one in enumerate(gathered):
            rest = list(gathered)
            rest[number] = replace(one, events=(), event_stretches=())
            yield rest, one, number
        return
    for number, one in enumerate(gathered):
        rate_hz = one.picked.rate_hz
        cues = sorted(trial.cue for trial in trials.of(one.events, rate_hz))
        begins = [cues[at] for at in sorted({i * len(cues) // _PARTS for i in range(_PARTS)})]
        at = np.array([event.sample for event in one.events])
        for begin, end in zip(begins, [*begins[1:], math.inf], strict=True):
            cued = (at >= begin) & (at < end)
            rest = list(gathered)
            rest[number] = _with_events(one, ~cued)
            first = begin + round(trials.start_s * rate_hz)
            inside = (one.samples >= first) & (one.samples < end)
            yield rest, _rows_of(_with_events(one, cued), inside), number


def _with_events(gathered: Gathered, kept: NDArray[np.bool_]) -> Gathered:
    pairs = zip(gathered.events, gathered.event_stretches, kept, strict=True)
    found = [(event, stretch) for event, stretch, is_kept in pairs if is_kept]
    return replace(
        gathered,
        events=tuple(event for event, _ in found),
        event_stretches=tuple(stretch for _, stretch in found),
    )


def _rows_of(gathered: Gathered, inside: NDArray[np.bool_]) -> Gathered:
    return replace(
        gathered,
        rows=gathered.rows[inside],
        samples=gathered.samples[inside],
        times=gathered.times[inside],
        stretches=gathered.stretches[inside],
    )


def _said(
    decoder: Decoder, training: Training, weights: Weights, gathered: Gathered
) -> list[tuple[int, Sequence[float]]]:
    """Decode every row, as live; return the sample and the probabilities of each."""
    found: list[tuple[int, Sequence[float]]] = []
    decoding: Decoding | None = None
    stretch = -1
    rows = zip(gathered.rows, gathered.samples, gathered.times, gathered.stretches, strict=True)
    for row, sample, time_s, now in rows:
        if decoding is None or now != stretch:
            stretch = now
            decoding = decoder.start(training.signal, training.labels, training.unit, weights)
        chunk = Chunk(np.array([time_s]), row[np.newaxis])
        for output in decoding(chunk, Moment(int(sample), float(time_s))):
            if isinstance(output, Prediction):
                found.append((int(sample), output.probabilities))
    return found


def _from_start(
    gathered: Gathered,
    samples: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    cued: Sequence[Trial],
) -> LeftOut:
    """Count samples from the stretch's first cue, or its first block."""
    first = min([int(samples[0]), *(trial.cue for trial in cued)])
    moved = [Trial(t.cue - first, t.label, t.first - first, t.last - first) for t in cued]
    return LeftOut(gathered.picked.rate_hz, samples - first, probabilities, moved)
