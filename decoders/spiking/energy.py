"""What a network would use on hardware that works on events: arithmetic, counted and priced.

Counted, not measured: a synaptic operation is one spike that arrives at one synapse, and adds its
weight. It is priced at what the arithmetic costs in 45 nm silicon (Horowitz, "Computing's energy
problem (and what we can do about it)", IEEE ISSCC 2014, fig. 1.1.9): 0.9 pJ a 32-bit floating-point
addition, 3.7 pJ a multiplication. Moving weights and states in memory costs more than either, and
is in neither count; nor is what a chip uses while idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoders.spiking.network import Network, raster

__all__ = ["ADD_PJ", "MULTIPLY_PJ", "Operations", "dense", "gated", "recurrent", "spiking"]

ADD_PJ = 0.9
MULTIPLY_PJ = 3.7


@dataclass(frozen=True, slots=True)
class Operations:
    """Arithmetic for one row.

    Parameters
    ----------
    additions
        Additions alone: a spike at a synapse.
    multiply_adds
        Multiplications, each with an addition.
    """

    additions: float
    multiply_adds: float

    @property
    def energy_nj(self) -> float:
        """What they use, in nanojoules."""
        return 1e-3 * (self.additions * ADD_PJ + self.multiply_adds * (ADD_PJ + MULTIPLY_PJ))

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            self.additions + other.additions, self.multiply_adds + other.multiply_adds
        )


def dense(n_in: int, n_out: int) -> Operations:
    """Return what a linear layer (a Wiener filter, with all its history) takes."""
    return Operations(n_out, n_in * n_out)


def recurrent(n_in: int, n_hidden: int, n_out: int) -> Operations:
    """Return what a recurrent layer without gates, and a linear readout, take."""
    return dense(n_in, n_hidden) + dense(n_hidden, n_hidden) + dense(n_hidden, n_out)


def gated(n_in: int, n_hidden: int, n_out: int, gates: int) -> Operations:
    """Return what an LSTM (4 gates) or a GRU (3), and a linear readout, take, but for the cells.

    The products of gates, one a unit and gate, count as multiplications.
    """
    gate = dense(n_in, n_hidden) + dense(n_hidden, n_hidden) + Operations(0, n_hidden)
    return Operations(gates * gate.additions, gates * gate.multiply_adds) + dense(n_hidden, n_out)


def spiking(network: Network, rows: NDArray[np.floating[Any]]) -> Operations:
    """Return what `network` takes for one of `rows`, (n_rows, n_inputs), on average.

    Rows of whole numbers are spikes that arrive, each of which adds its weights once; others are
    multiplied by their weights, once a row. Each neuron multiplies its potential by its leak, adds
    its current, and adds its constant current, every tick. Each of its spikes adds a weight for
    every neuron that it reaches.
    """
    n_first = len(network.populations[0].bias)
    if (rows >= 0).all() and (rows == np.round(rows)).all():
        total = Operations(float(rows.sum(axis=1).mean()) * n_first, 0.0)
    else:
        total = Operations(0.0, float(network.n_inputs * n_first))
    fan_out = [len(p.bias) for p in network.populations[1:]] + [len(network.readout.bias)]
    spikes, _ = raster(network, rows)
    for population, n_next, fired in zip(network.populations, fan_out, spikes, strict=True):
        n = len(population.bias)
        reached = n_next + (0 if population.recurrent is None else n)
        each_row = float(fired.sum()) / len(rows)
        total += Operations(each_row * reached + n * network.ticks, n * network.ticks)
    n_out = len(network.readout.bias)
    return total + Operations(n_out * network.ticks, n_out * network.ticks)
