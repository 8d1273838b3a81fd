r"""Decisions without a cue: evidence adds up until it is enough, at a stated error rate.

Nobody says when to listen; a person may do nothing for minutes. For each class k that is not idle
a sum adds up what each block says for it against every other class, idle among them, and never
falls below zero:

.. math:: S_k \leftarrow \max\Big(0,\; S_k + \ln\frac{p_k}{\max_{j \ne k} p_j}\Big)

and k is decided when :math:`S_k` reaches a bound: Wald's sequential test, begun anew whenever it
speaks against k (Page, "Continuous inspection schemes", Biometrika 41, 1954; Wald, Ann. Math.
Stat. 16, 1945). For independent blocks the bound of an error rate :math:`\varepsilon` would be
:math:`\ln((1 - \varepsilon) / \varepsilon)`. Blocks overlap, and decoders are too sure; so the
bound is raised to where stretches that were left out of the fit show the error rate
(`decoders.calibrating.uncued_bound`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Decoding, Moment
from decoders.output import Output, Prediction
from devices.signal import Chunk

__all__ = ["BOUND", "Heard", "Listening", "Uncued", "steps"]

BOUND = "uncued.bound"
"""Where a model keeps how much evidence is enough."""

_FLOOR = 1e-12


@dataclass(frozen=True)
class Uncued:
    """The ``[uncued]`` section of the session file: decisions at any time, without a cue.

    Parameters
    ----------
    error_rate
        Share of wrong decisions, among all that are made, not to be passed.
    pause_s
        After a decision nothing is decided, and no evidence counts, for so long.
    """

    error_rate: float
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.error_rate < 0.5 or self.pause_s < 0:
            raise ValueError(
                "uncued needs 0 < error_rate < 0.5 and pause_s >= 0; it has error_rate = "
                f"{self.error_rate}, pause_s = {self.pause_s}"
            )

    def start(self, labels: Sequence[str], idle: str, bound: float, block_s: float) -> Listening:
        """Start to listen to a decoder of `labels` that speaks every `block_s`."""
        return Listening(labels, idle, bound, math.ceil(self.pause_s / block_s - 1e-9))


class Listening:
    """Adds a decision to the prediction of the block with which the evidence is enough.

    Parameters
    ----------
    labels, idle
        The classes, and the one that is never decided.
    bound
        How much evidence is enough, in nats.
    pause
        Blocks after a decision that do not count.
    """

    def __init__(self, labels: Sequence[str], idle: str, bound: float, pause: int) -> None:
        self._labels = tuple(labels)
        self._wanted = [k for k, label in enumerate(labels) if label != idle]
        self._bound = bound
        self._pause = pause
        self._wait = 0
        self._sums = [0.0] * len(self._labels)

    def __call__(self, outputs: Sequence[Output]) -> Sequence[Output]:
        """Return the outputs, their prediction with a decision if there is enough evidence."""
        prediction = next((o for o in outputs if isinstance(o, Prediction)), None)
        if prediction is None:
            return outputs
        label = self.take(prediction.probabilities)
        if label is None:
            return outputs
        decided = replace(prediction, decision=label, cue_sample=None)
        return [decided if o is prediction else o for o in outputs]

    def take(self, probabilities: Sequence[float]) -> str | None:
        """Take one block in; return what is decided with it."""
        logs = [math.log(max(p, _FLOOR)) for p in probabilities]
        first, second = sorted(logs)[:-3:-1]
        return self.add([log - (second if log == first else first) for log in logs])

    def add(self, steps: Sequence[float]) -> str | None:
        """Take in what one block says for each class against all others, in nats."""
        if self._wait:
            self._wait -= 1
            return None
        sums = self._sums
        for k in self._wanted:
            sums[k] = max(0.0, sums[k] + steps[k])
        best = max(self._wanted, key=sums.__getitem__)
        if sums[best] < self._bound:
            return None
        self._sums = [0.0] * len(self._labels)
        self._wait = self._pause
        return self._labels[best]


class Heard:
    """A decoding that is listened to."""

    def __init__(self, decoding: Decoding, listening: Listening) -> None:
        self._decoding = decoding
        self._listening = listening

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        """Return what the decoding says, with what is decided."""
        return self._listening(self._decoding(chunk, moment))


def steps(probabilities: NDArray[np.float64]) -> list[list[float]]:
    """Return what each block, a row of `probabilities`, says for each class against all others."""
    logs = np.log(np.maximum(probabilities, _FLOOR))
    ordered = np.sort(logs, axis=1)
    first, second = ordered[:, -1:], ordered[:, -2:-1]
    found: list[list[float]] = (logs - np.where(logs == first, second, first)).tolist()
    return found
