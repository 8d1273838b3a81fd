"""A classifier that learns from rewards and errors alone: policy gradient on its decisions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground, Learner, Lesson, Seen, State
from decoders.adapting.labelled import LATE_S
from decoders.deciding.trials import Trial, decide
from decoders.decoder import Event, Weights
from decoders.output import Prediction
from decoders.stage import Mismatch

__all__ = ["Reward"]


@dataclass(frozen=True)
class Reward:
    r"""Make decisions that were rewarded likelier, and those that were not less likely.

    A decision is an action of a policy that is the softmax of linear scores; after the reward r

    .. math:: W \leftarrow W + \eta (r - \bar r) (e_a - p) \tilde x^T

    with a the decision, p the probabilities and x̃ the mean of the trial's rows, divided by the
    running mean of its squared length (Williams, "Simple statistical gradient-following algorithms
    for connectionist reinforcement learning", Mach. Learn. 8, 1992). r̄ is the running mean of the
    rewards. An ``error`` counts as a reward of -1: an error potential that somebody detected, or a
    key (Chavarriaga, Sobolewski & Millán, "Errare machinale est: the use of error-related
    potentials in brain-machine interfaces", Front. Neurosci. 8, 2014; Iturrate et al., Sci. Rep. 5,
    2015). Wants `lda` or `logistic`, and ``[trials]``.

    Parameters
    ----------
    step
        η.
    silence
        The reward of a decision that nobody says anything about within `wait_s`: with error
        potentials, no error is good news; then 0.2 or so. 0: it teaches nothing.
    wait_s
        How long after its end a trial may be rewarded; at most 10 s.
    baseline_rate
        How fast r̄ follows, a trial.
    """

    step: float = 0.2
    silence: float = 0.0
    wait_s: float = 3.0
    baseline_rate: float = 0.05

    def __post_init__(self) -> None:
        if not self.step > 0 or not 0 < self.wait_s <= LATE_S or not 0 < self.baseline_rate <= 1:
            raise ValueError(
                f"reward needs step > 0, 0 < wait_s <= {LATE_S:g} and 0 < baseline_rate <= 1; "
                f"it has step = {self.step}, wait_s = {self.wait_s}, "
                f"baseline_rate = {self.baseline_rate}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            The model is not linear in its features, or there are no trials.
        """
        coef = ground.weights.get("coef")
        if coef is None or ground.decoder.task != "classes":
            raise Mismatch("reward wants a classifier that is linear: lda or logistic")
        if coef.shape != (len(ground.labels), ground.features.n_channels):
            raise Mismatch("reward wants a model that is linear in the features themselves")
        if ground.trials is None or not ground.trials.labels:
            raise Mismatch("reward wants the [trials] whose decisions are rewarded")
        return _Running(self, ground)


@dataclass(slots=True)
class _Taken:
    """A decision that waits for its reward."""

    trial: Trial
    row: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    action: int
    n_rows: int


class _Running:
    def __init__(self, recipe: Reward, ground: Ground) -> None:
        assert ground.trials is not None
        self._recipe, self._trials, self._labels = recipe, ground.trials, ground.labels
        self._rate_hz = ground.rate_hz
        self._wait = round(recipe.wait_s * ground.rate_hz)
        self._baseline, self._size = 0.0, 0.0
        reach_s = ground.trials.end_s + recipe.wait_s
        n = max(2, round(reach_s / ground.block_s))
        self._past: deque[tuple[int, NDArray[np.float64], tuple[float, ...]]] = deque(maxlen=n)
        self._open: list[Trial] = []
        self._taken: list[_Taken] = []

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        said = next((o.probabilities for o in seen.outputs if isinstance(o, Prediction)), None)
        if said is None:
            return None
        sample = seen.moment.sample
        self._past.append((sample, np.array(seen.rows[-1], np.float64), said))
        self._open += self._trials.of(seen.moment.events, self._rate_hz)
        ended = [trial for trial in self._open if trial.last <= sample]
        self._open = [trial for trial in self._open if trial.last > sample]
        self._taken += [taken for trial in ended if (taken := self._decided(trial)) is not None]
        rewarded = [r for e in seen.moment.events if (r := self._reward(e)) is not None]
        rewarded += self._unsaid(sample)
        if not rewarded:
            return None
        return self._lesson(rewarded, weights)

    def _decided(self, trial: Trial) -> _Taken | None:
        inside = [(x, p) for s, x, p in self._past if trial.first <= s <= trial.last]
        if not inside:
            return None
        rows, said = zip(*inside, strict=True)
        action = decide(said, self._trials.evidence)
        return _Taken(trial, np.mean(rows, axis=0), np.mean(said, axis=0), action, len(rows))

    def _reward(self, event: Event) -> tuple[_Taken, float] | None:
        """Return the decision that an event rewards: the newest that had ended by its sample."""
        if event.kind not in ("reward", "error"):
            return None
        about = [t for t in self._taken if t.trial.last <= event.sample + self._slack()]
        if not about:
            return None
        taken = about[-1]
        self._taken.remove(taken)
        return taken, event.values[0] if event.kind == "reward" else -1.0

    def _slack(self) -> int:
        """Return how much before a trial's last sample its decision may be said to have been."""
        return round(0.5 * (self._trials.end_s - self._trials.start_s) * self._rate_hz)

    def _unsaid(self, sample: int) -> list[tuple[_Taken, float]]:
        late = [t for t in self._taken if sample - t.trial.last > self._wait]
        self._taken = [t for t in self._taken if sample - t.trial.last <= self._wait]
        return [(t, self._recipe.silence) for t in late] if self._recipe.silence else []

    def _lesson(self, rewarded: list[tuple[_Taken, float]], weights: Weights) -> Lesson:
        coef = np.array(weights["coef"], np.float64)
        intercept = np.array(weights["intercept"], np.float64)
        recipe = self._recipe
        for taken, reward in rewarded:
            square = float(taken.row @ taken.row) + 1.0
            self._size = square if not self._size else 0.95 * self._size + 0.05 * square
            chosen = np.zeros(len(coef))
            chosen[taken.action] = 1.0
            push = recipe.step * (reward - self._baseline) * (chosen - taken.probabilities)
            coef += np.outer(push, taken.row) / self._size
            intercept += push / self._size
            self._baseline += recipe.baseline_rate * (reward - self._baseline)
        said = ", ".join(f"{r:+g} for {self._labels[t.action]}" for t, r in rewarded)
        first, last = rewarded[0][0], rewarded[-1][0]
        n_rows = sum(t.n_rows for t, _ in rewarded)
        return Lesson(
            {"coef": coef, "intercept": intercept},
            f"reward: {said}",
            first.trial.first,
            last.trial.last,
            n_rows,
            len(rewarded),
        )

    def forget(self) -> None:
        self._past.clear()
        self._open.clear()
        self._taken.clear()

    def state(self) -> State:
        return {"baseline": np.array([self._baseline]), "size": np.array([self._size])}

    def restore(self, state: State) -> None:
        self._baseline = float(np.asarray(state["baseline"], np.float64)[0])
        self._size = float(np.asarray(state["size"], np.float64)[0])
        self.forget()
