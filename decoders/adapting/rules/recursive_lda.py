"""Linear discriminant analysis whose means and covariance follow the trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decoders.adapting.adaptation import Ground, Learner, Lesson, Seen, State
from decoders.adapting.labelled import Labelled, LabelSource, Lot
from decoders.decoder import Weights
from decoders.output import Prediction
from decoders.stage import Mismatch

__all__ = ["RecursiveLda"]


@dataclass(frozen=True)
class RecursiveLda:
    r"""After each trial, move the class's mean, and the covariance, towards what was seen.

    .. math:: \mu_k \leftarrow (1 - \eta) \mu_k + \eta \bar x, \qquad
        \Sigma \leftarrow (1 - \kappa) \Sigma + \kappa \frac1n \sum_i (x_i - \mu_k)(x_i - \mu_k)^T

    with :math:`\bar x` the mean of the trial's rows, and the discriminant made anew (Vidaurre,
    Sannelli, Müller & Blankertz, "Machine-learning-based coadaptive calibration for brain-computer
    interfaces", Neural Comput. 23, 2011). Without labels (``labels = "none"``) all means move
    together with the mean of everything, which follows a shift that all classes share (Vidaurre,
    Kawanabe, von Bünau, Blankertz & Müller, "Toward unsupervised adaptation of LDA for
    brain-computer interfaces", IEEE Trans. Biomed. Eng. 58, 2011). Wants an `lda` model.

    Parameters
    ----------
    labels
        Who says which class a trial was of: the ``cues`` of ``[trials]``, clients by ``feedback``
        of the kind label, or the decoder itself, its ``own`` confident decisions being taken for
        true. ``none``: nobody; then every row counts.
    rate
        η, a trial; without labels, a row.
    covariance_rate
        κ, a trial. 0: the covariance stays.
    confidence
        With ``own`` labels: the least mean probability of the class that was decided on.
    every_s
        Without labels: seconds between two versions.
    """

    labels: Literal["cues", "feedback", "own", "none"] = "cues"
    rate: float = 0.05
    covariance_rate: float = 0.01
    confidence: float = 0.9
    every_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 <= self.covariance_rate < 1:
            raise ValueError(
                f"rate must be above 0, both rates below 1; they are {self.rate} and "
                f"{self.covariance_rate}"
            )
        if not 0 <= self.confidence <= 1 or not self.every_s > 0:
            raise ValueError(
                f"confidence must be 0 to 1 and every_s positive, not {self.confidence} and "
                f"{self.every_s}"
            )

    def start(self, ground: Ground) -> Learner:
        """Start to learn.

        Raises
        ------
        Mismatch
            The model holds no means and covariance, or nobody says the labels.
        """
        if not {"means", "covariance"} <= set(ground.weights):
            raise Mismatch(
                "recursive_lda wants a model of kind lda that holds its means and covariance; "
                "this one does not. Calibrate again (models of more than 1,024 features hold none)"
            )
        return _Unlabelled(self, ground) if self.labels == "none" else _Supervised(self, ground)


class _Means:
    """The means and the covariance, and the discriminant that follows from them."""

    def __init__(self, weights: Weights) -> None:
        self.means = np.array(weights["means"], np.float64)
        self.covariance = np.array(weights["covariance"], np.float64)

    def weights(self) -> Weights:
        coef = np.linalg.solve(self.covariance, self.means.T).T
        intercept = -0.5 * (coef * self.means).sum(axis=1)
        return {
            "coef": np.ascontiguousarray(coef),
            "intercept": intercept,
            "means": self.means.copy(),
            "covariance": self.covariance.copy(),
        }

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"means": self.means.copy(), "covariance": self.covariance.copy()}

    def restore(self, state: State) -> None:
        self.means = np.array(state["means"], np.float64)
        self.covariance = np.array(state["covariance"], np.float64)


class _Supervised:
    def __init__(self, recipe: RecursiveLda, ground: Ground) -> None:
        source: LabelSource = recipe.labels  # type: ignore[assignment]  # "none" is not started here
        self._recipe, self._labels = recipe, ground.labels
        self._now = _Means(ground.weights)
        self._labelled = Labelled(ground, source, recipe.confidence)

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        said = next((o.probabilities for o in seen.outputs if isinstance(o, Prediction)), None)
        if said is None:
            return None
        lots = self._labelled.take(seen.rows[-1], said, seen.moment)
        if not lots:
            return None
        for lot in lots:
            self._move(lot)
        who = {"cues": "cued", "feedback": "told", "own": "its own"}[self._recipe.labels]
        names = ", ".join(self._labels[lot.label] for lot in lots)
        return Lesson(
            self._now.weights(),
            f"recursive_lda: {who} {names}",
            lots[0].first,
            lots[-1].last,
            sum(len(lot.rows) for lot in lots),
            len(lots),
        )

    def _move(self, lot: Lot) -> None:
        now, rate, kappa = self._now, self._recipe.rate, self._recipe.covariance_rate
        now.means[lot.label] += rate * (lot.rows.mean(axis=0) - now.means[lot.label])
        if kappa:
            around = lot.rows - now.means[lot.label]
            now.covariance *= 1 - kappa
            now.covariance += kappa / len(around) * (around.T @ around)

    def forget(self) -> None:
        self._labelled.forget()

    def state(self) -> State:
        return self._now.state()

    def restore(self, state: State) -> None:
        self._now.restore(state)
        self._labelled.forget()


class _Unlabelled:
    """The mean of everything moves, and takes the means of the classes along."""

    def __init__(self, recipe: RecursiveLda, ground: Ground) -> None:
        self._rate = recipe.rate
        self._now = _Means(ground.weights)
        self._middle = self._now.means.mean(axis=0)
        self._every = max(1, round(recipe.every_s / ground.block_s))
        self._n = 0
        self._first = 0

    def learn(self, seen: Seen, weights: Weights) -> Lesson | None:
        if not self._n:
            self._first = seen.moment.sample
        for row in seen.rows:
            self._middle += self._rate * (row - self._middle)
        self._n += 1
        if self._n < self._every:
            return None
        n, self._n = self._n * len(seen.rows), 0
        self._now.means += self._middle - self._now.means.mean(axis=0)
        reason = "recursive_lda: the mean of all rows"
        return Lesson(self._now.weights(), reason, self._first, seen.moment.sample, n, 0)

    def forget(self) -> None:
        self._n = 0

    def state(self) -> State:
        return {**self._now.state(), "middle": self._middle.copy()}

    def restore(self, state: State) -> None:
        self._now.restore(state)
        self._middle = np.array(state["middle"], np.float64)
        self._n = 0
