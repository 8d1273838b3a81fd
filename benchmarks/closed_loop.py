"""A simulated person in a closed loop, faster than real: the decoder's own code, without a network.

Each step of 20 ms: the person intends, 96 units fire, the run decodes, the cursor moves, and what
a client would say (targets, the cursor's position) goes in as feedback, bound as the server does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from decoders.adapting.adaptation import Adaptation
from decoders.artifact import Artifact
from decoders.calibrating.calibration import uncalibrated
from decoders.decoder import Decoder
from decoders.features.smooth import Smooth
from decoders.models.kalman import Kalman
from decoders.output import Adapted, Command
from decoders.pipeline import Pipeline, Run
from decoders.stage import Chain, Stage
from devices.signal import Chunk, Event, Signal
from devices.simulation.person import Person
from devices.simulation.tuning import CosineTuning
from examples.tasks.cursor_task import CursorTask

__all__ = ["STEP_S", "Loop", "blank", "pipeline", "population"]

STEP_S = 0.02
N_UNITS = 96
_POSITION_EVERY = 10


def population(seed: int, days: int = 0) -> CosineTuning:
    """Return the units of one participant, `days` days after the first."""
    tuning = CosineTuning.draw(N_UNITS, np.random.default_rng(seed))
    for day in range(days):
        tuning = tuning.after(1, np.random.default_rng((seed, day)))
    return tuning


def pipeline(*stages: Stage) -> Pipeline:
    """Return the steps: counts, smoothed a little."""
    return Pipeline(STEP_S, stages=Chain((Smooth(0.06), *stages)))


def blank(steps: Pipeline, decoder: Decoder | None = None) -> Artifact:
    """Return a decoder that knows nothing."""
    signal = Signal(1 / STEP_S, tuple(f"unit-{k:04d}" for k in range(N_UNITS)), "count")
    return uncalibrated(steps, decoder or Kalman(), signal, ("vx", "vy"), "m/s")


@dataclass
class Loop:
    """One session.

    Parameters
    ----------
    model, steps, adaptation
        What decodes.
    tuning
        Of the units.
    seed
        Draws the spikes, the errors and the targets.
    tells
        Whether clients say where targets are; else only where the cursor is.
    """

    model: Artifact
    steps: Pipeline
    tuning: CosineTuning
    adaptation: Adaptation | None = None
    seed: int = 0
    tells: bool = True
    decoder: Decoder | None = None

    def __post_init__(self) -> None:
        spikes, errors = np.random.default_rng((self.seed, 7)).spawn(2)
        self._spikes = spikes
        self.person = Person(STEP_S, errors)
        self.task = CursorTask(seed=self.seed)
        whole = replace(self.steps, adaptation=self.adaptation)
        self.run: Run = self.model.run(self.model.signal, whole, self.decoder or Kalman())
        self.notices: list[Adapted] = []
        self._n = 0
        self._events: list[Event] = []
        self._is_new = True

    def go(self, seconds: float, *switches: str) -> None:
        """Go on for so long; `switches` of the adaptation come first."""
        self._events += [self._event("adapt", label=switch) for switch in switches]
        for _ in range(round(seconds / STEP_S)):
            self._step()

    def _step(self) -> None:
        task = self.task
        if self._is_new and self.tells:
            self._events.append(self._event("target", task.target))
        if self._n % _POSITION_EVERY == 0 or self._is_new:
            self._events.append(self._event("position", task.cursor))
        meant = self.person.intend(task.cursor, task.target)
        rates_hz = self.tuning.rates_hz(meant[None])
        counts = self._spikes.poisson(rates_hz * STEP_S).astype(np.float32)
        events, self._events = self._events, []
        self._n += 1
        velocity = np.zeros(2)
        for decoded in self.run.feed(Chunk(np.array([self._n * STEP_S]), counts), (), events):
            for output in decoded.outputs:
                if isinstance(output, Command):
                    velocity = np.array(output.values)
                elif isinstance(output, Adapted):
                    self.notices.append(output)
        self._is_new = task.step(velocity, STEP_S)

    def _event(self, kind: str, values: np.ndarray | None = None, label: str = "") -> Event:
        numbers = () if values is None else tuple(float(v) for v in values)
        return Event(max(0, self._n - 1), label, "client", kind, numbers)  # type: ignore[arg-type]

    def taught(self) -> Artifact:
        """Return the model as it is now."""
        assert self.run.adaptive is not None
        return replace(self.model, weights=self.run.adaptive.versions.current.weights)
