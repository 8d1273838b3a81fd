"""A network of spiking neurons, for values or classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from decoders.classifying.linear import check_classes, check_width, softmax
from decoders.decoder import Decoding, Moment, Training, Weights
from decoders.output import Meaning, Output, Prediction, continuous
from decoders.spiking.network import Network, Running
from decoders.stage import Mismatch
from decoders.training.journal import Journal
from decoders.training.recipe import Trained
from devices.signal import Chunk, Signal

__all__ = ["Spiking"]


@dataclass(frozen=True)
class Spiking(Trained):
    """Leaky integrate-and-fire neurons that are driven by each row for a few ticks.

    The first population is driven by the row, each further one by the spikes of the one before,
    and leaky integrators listen to the last: their potentials are the values, or, through a
    softmax, the probabilities. Trained with surrogate gradients (Neftci, Mostafa & Zenke, IEEE
    Signal Process. Mag. 36, 2019) by snnTorch; the live step is numpy alone, and carries every
    potential from block to block. `decoders.spiking` has the equations, the energy that such a
    network would use on neuromorphic hardware, and the way there.

    Parameters
    ----------
    task
        ``"continuous"``: says values. ``"classes"``: says how likely each class is.
    neurons
        In each population.
    recurrent
        Whether the neurons of a population drive each other.
    ticks
        Steps of the neurons for each row.
    tau_s
        Shortest and longest time constant of the neurons before training, in seconds.
    tau_out_s
        Time constant of the readout before training, in seconds.
    dropout_in
        Share of the features that are left out while training.
    sequence
        Rows in a piece that values are learned on; a quarter of them is for the network to settle,
        and is not judged. Classes are learned on whole trials, two in a row.
    spike_cost
        What one spike of every neuron at every tick would add to the loss: more is more frugal.
    mode
        What the values are: the mode of the command.
    """

    epochs: int = 40
    patience: int = 15
    batch: int = 32
    learning_rate: float = 5e-3
    folds: int = 1
    task: Literal["continuous", "classes"] = "continuous"
    neurons: tuple[int, ...] = (256,)
    recurrent: bool = True
    ticks: int = 2
    tau_s: tuple[float, float] = (0.02, 0.3)
    tau_out_s: float = 0.06
    dropout_in: float = 0.2
    sequence: int = 40
    spike_cost: float = 0.0
    mode: Meaning = "velocity"

    def __post_init__(self) -> None:
        Trained.__post_init__(self)
        if not self.neurons or min(self.neurons) < 1 or self.ticks < 1 or self.sequence < 4:
            raise ValueError(
                "spiking needs one neuron or more in each population, ticks >= 1 and sequence >= "
                f"4; it has neurons = {list(self.neurons)}, ticks = {self.ticks}, sequence = "
                f"{self.sequence}"
            )
        if not 0 < self.tau_s[0] <= self.tau_s[1] or not self.tau_out_s > 0:
            raise ValueError(
                "spiking needs two tau_s, the shorter one first, and tau_out_s > 0; it has "
                f"tau_s = {list(self.tau_s)}, tau_out_s = {self.tau_out_s}"
            )
        if not 0 <= self.dropout_in < 1 or not self.spike_cost >= 0:
            raise ValueError(
                "spiking needs dropout_in of 0 to 1, and spike_cost >= 0; it has dropout_in = "
                f"{self.dropout_in}, spike_cost = {self.spike_cost}"
            )
        if self.members != 1:
            raise ValueError(f"spiking is one network; members must be 1, not {self.members}")

    def need_torch(self) -> None:
        """Say how to install what trains, where it is not."""
        if missing := [name for name in ("torch", "snntorch") if find_spec(name) is None]:
            raise Mismatch(
                f"spiking is trained with {' and '.join(missing)}, not installed here; "
                "pip install 'bci-server[spiking]'"
            )

    def train(self, training: Training, journal: Journal) -> Weights:
        """Fit to `training`; write to `journal`, and go on from the checkpoints that it has."""
        if self.task == "classes":
            check_classes(training)
        self.need_torch()
        from decoders.spiking.fitting import fit

        return fit(self, training, journal)

    def start(
        self, signal: Signal, labels: tuple[str, ...], unit: str, weights: Weights
    ) -> Decoding:
        """Start a run."""
        network = Network.of(weights)
        check_width(signal.n_channels, network.n_inputs)
        running = network.start()
        if self.task == "classes":
            return _Classifying(running, labels)
        return _Commanding(running, self.mode, labels, unit)


class _Commanding:
    def __init__(self, running: Running, mode: Meaning, labels: tuple[str, ...], unit: str) -> None:
        self._running = running
        self._mode, self._labels, self._unit = mode, labels, unit

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        for row in chunk.values:
            self._running(row)
        values = tuple(self._running.potentials.tolist())
        return (continuous(self._mode, self._labels, values, self._unit),)


class _Classifying:
    def __init__(self, running: Running, labels: tuple[str, ...]) -> None:
        self._running = running
        self._labels = labels

    def __call__(self, chunk: Chunk, moment: Moment) -> Sequence[Output]:
        if not len(chunk):
            return ()
        for row in chunk.values:
            self._running(row)
        return (Prediction(self._labels, softmax(self._running.potentials.tolist())),)
