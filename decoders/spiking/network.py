r"""Leaky integrate-and-fire neurons, in the terms of NIR, and their live step.

The parameters are those of the Neuromorphic Intermediate Representation (Pedersen et al.,
"Neuromorphic intermediate representation: A unified instruction set for interoperable
brain-inspired computing", Nat. Commun. 15, 2024), kept as they are written to a file, so that a
network that has been through one spikes the same, to the bit:

.. math::
    \tau \dot v = v_{leak} - v + r I, \qquad
    v > v_{threshold}: \text{ a spike, and } v \leftarrow v_{reset}

in steps of one tick (forward Euler, as snnTorch and the hardware do):
:math:`v \leftarrow (1 - d) v + d (v_{leak} + r I)` with :math:`d = \Delta t / \tau`. What enters is
held for all ticks of its row. Spikes reach the next population in the same tick, and their own
population, over recurrent weights, in the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Weights

__all__ = ["Network", "Population", "Readout", "Running", "raster"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Population:
    """Leaky integrate-and-fire neurons, and the weights of what drives them.

    Parameters
    ----------
    weight, bias
        (n, n_in) and (n,): the current of an input.
    recurrent
        (n, n), from column to row: the current of the population's own last spikes; None: none.
    tau_s
        (n,) seconds, longer than a tick.
    r, v_leak, v_threshold, v_reset
        (n,), as above.
    """

    weight: Array
    bias: Array
    recurrent: Array | None
    tau_s: Array
    r: Array
    v_leak: Array
    v_threshold: Array
    v_reset: Array


@dataclass(frozen=True, eq=False)
class Readout:
    """Leaky integrators that do not spike: their potentials are what the network says.

    Parameters
    ----------
    weight, bias
        (n, n_in) and (n,): the current of the last population's spikes.
    tau_s, r, v_leak
        (n,), as above.
    """

    weight: Array
    bias: Array
    tau_s: Array
    r: Array
    v_leak: Array


@dataclass(frozen=True, eq=False)
class Network:
    """Populations one after the other, and a readout.

    Parameters
    ----------
    populations
        In order; each is driven by the one before, the first one by what enters.
    readout
        What listens to the last.
    tick_s
        Length of a step in seconds.
    ticks
        Steps for each row that enters.
    """

    populations: tuple[Population, ...]
    readout: Readout
    tick_s: float
    ticks: int

    @property
    def n_inputs(self) -> int:
        """Width of a row that enters."""
        return int(self.populations[0].weight.shape[1])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all of it as arrays by name, for a model's weights."""
        found: dict[str, NDArray[np.generic]] = {
            "tick_s": np.array([self.tick_s]),
            "ticks": np.array([self.ticks]),
        }
        named: dict[str, Population | Readout] = {
            f"population_{i}": population for i, population in enumerate(self.populations)
        }
        for name, part in (named | {"readout": self.readout}).items():
            for f in fields(part):
                if (array := getattr(part, f.name)) is not None:
                    found[f"{name}.{f.name}"] = array
        return found

    @classmethod
    def of(cls, weights: Weights) -> Network:
        """Return the network that `arrays` described."""
        count = len({k.split(".")[0] for k in weights if k.startswith("population_")})
        return cls(
            tuple(_part(Population, f"population_{i}", weights) for i in range(count)),
            _part(Readout, "readout", weights),
            float(weights["tick_s"][0]),
            int(weights["ticks"][0]),
        )

    def start(self) -> Running:
        """Start a run, from rest: every potential at 0, no spike under way."""
        return Running(self)


def _part(kind: Any, name: str, weights: Mapping[str, Any]) -> Any:
    return kind(**{f.name: weights.get(f"{name}.{f.name}") for f in fields(kind)})


class Running:
    """One stream's state. All memory is allocated at the start; everything is float64.

    Attributes
    ----------
    spikes
        For each population (n,) float64: 1 where a neuron spiked in the last tick, else 0.
    potentials
        (n,) of the readout, after the last tick. Holds until the next.
    """

    def __init__(self, network: Network) -> None:
        self._ticks = network.ticks
        self._cells = tuple(_Cells(p, network.tick_s) for p in network.populations)
        self._drive = np.zeros(len(network.populations[0].bias))
        readout = network.readout
        self._weight = np.ascontiguousarray(readout.weight, np.float64)
        self._membrane = _Membrane(readout, network.tick_s)
        self.spikes = tuple(cells.spikes for cells in self._cells)
        self.potentials = self._membrane.v

    def __call__(self, row: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Take one row, (n_inputs,), in for all of its ticks; return the potentials, (n,)."""
        self.enter(row)
        for _ in range(self._ticks):
            self.tick()
        return self.potentials

    def enter(self, row: NDArray[np.floating[Any]]) -> None:
        """Let a row, (n_inputs,), drive the first population from now on."""
        np.dot(self._cells[0].weight, row, out=self._drive)

    def tick(self) -> None:
        """Let one tick pass."""
        drive = self._drive
        for i, cells in enumerate(self._cells):
            if i:
                np.dot(cells.weight, self.spikes[i - 1], out=cells.driven)
                drive = cells.driven
            cells.tick(drive)
        membrane = self._membrane
        np.dot(self._weight, self.spikes[-1], out=membrane.current)
        membrane.tick()


class _Membrane:
    """v ← (1 − d) v + d r (W s + b) + d v_leak, the constants of it put together once."""

    def __init__(self, part: Population | Readout, tick_s: float) -> None:
        share = tick_s / part.tau_s.astype(np.float64)
        self._keep = 1.0 - share
        self._gain = share * part.r
        self._always = share * part.v_leak + self._gain * part.bias
        self.current = np.zeros(len(share))
        self.v = np.zeros(len(share))

    def tick(self) -> None:
        v, current = self.v, self.current
        v *= self._keep
        current *= self._gain
        v += current
        v += self._always


class _Cells:
    def __init__(self, population: Population, tick_s: float) -> None:
        n = len(population.bias)
        self.weight = np.ascontiguousarray(population.weight, np.float64)
        self.driven, self.spikes = np.zeros((2, n))
        recurrent = population.recurrent
        self._recurrent = None if recurrent is None else np.ascontiguousarray(recurrent, np.float64)
        self._membrane = _Membrane(population, tick_s)
        self._threshold = population.v_threshold.astype(np.float64)
        self._reset = population.v_reset.astype(np.float64)
        self._fired = np.zeros(n, np.bool_)

    def tick(self, drive: NDArray[np.float64]) -> None:
        membrane, fired = self._membrane, self._fired
        if self._recurrent is None:
            membrane.current[:] = drive
        else:
            np.dot(self._recurrent, self.spikes, out=membrane.current)
            membrane.current += drive
        membrane.tick()
        np.greater(membrane.v, self._threshold, out=fired)
        np.copyto(membrane.v, self._reset, where=fired)
        self.spikes[:] = fired


def raster(
    network: Network, rows: NDArray[np.floating[Any]]
) -> tuple[list[NDArray[np.bool_]], NDArray[np.float64]]:
    """Return every spike of a run over `rows`, (n_rows, n_inputs), and what was said.

    Returns
    -------
    For each population (n_rows · ticks, n); and the potentials at the end of each row,
    (n_rows, n_outputs).
    """
    running = network.start()
    spikes = [
        np.empty((len(rows) * network.ticks, len(p.bias)), np.bool_) for p in network.populations
    ]
    said = np.empty((len(rows), len(network.readout.bias)))
    for at in _passing(running, rows, network.ticks, said):
        for kept, now in zip(spikes, running.spikes, strict=True):
            kept[at] = now > 0
    return spikes, said


def _passing(
    running: Running, rows: NDArray[np.floating[Any]], ticks: int, said: NDArray[np.float64]
) -> Iterator[int]:
    for i, row in enumerate(rows):
        running.enter(row)
        for k in range(ticks):
            running.tick()
            yield i * ticks + k
        said[i] = running.potentials
