"""A spiking network that learns: surrogate gradients through time.

The neurons, and their gradients, are those of snnTorch's ``Leaky`` with the arc tangent, set back
to 0 by a spike at once; but one population's whole time is one node of the graph, with a backward
pass of its own: a quarter of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.spiking.network import Network, Population, Readout

__all__ = ["Scaling", "Shape", "SpikingNet"]

_LEAST_KEEP, _LARGEST_KEEP = 0.001, 0.999
"""Of a potential, from one tick to the next: time constants of one to 1000 ticks."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of.

    Parameters
    ----------
    n_inputs, neurons, n_outputs
        Width of a row, of each population, of what is said.
    is_recurrent
        Whether each population drives itself.
    tick_s, ticks
        Length of a step, steps a row.
    tau_s
        Shortest and longest time constant at the start; between them, evenly in their logarithm.
    tau_out_s
        Time constant of the readout at the start.
    dropout_in
        Share of a row's numbers that are left out while it trains.
    """

    n_inputs: int
    neurons: tuple[int, ...]
    n_outputs: int
    is_recurrent: bool
    tick_s: float
    ticks: int
    tau_s: tuple[float, float]
    tau_out_s: float
    dropout_in: float = 0.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """Means and deviations that rows and targets are standardised by, float64.

    Parameters
    ----------
    mean, deviation
        (n_inputs,): of rows. A deviation of 0 is of an input that never varied; it is left out.
    out_mean, out_deviation
        (n_outputs,): of targets.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    out_mean: NDArray[np.float64]
    out_deviation: NDArray[np.float64]

    def rows(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return rows as the network learns on them."""
        moves = self.deviation > 0
        return ((x - self.mean) * moves / np.where(moves, self.deviation, 1.0)).astype(np.float32)


class SpikingNet(nn.Module):
    """Populations of leaky integrate-and-fire neurons, and a leaky readout.

    Surrogate gradients: Neftci, Mostafa & Zenke, IEEE Signal Process. Mag. 36, 2019; that of a
    spike is an arc tangent's (Fang et al., ICCV 2021). Each neuron learns a leak of its own
    (Perez-Nieves et al., "Neural heterogeneity promotes robust learning", Nat. Commun. 12, 2021).

    Attributes
    ----------
    activity
        Mean spikes a neuron and tick in the last forward pass, with its gradient.
    """

    activity: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        widths = (shape.n_inputs, *shape.neurons)
        self.into = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, shape.neurons, strict=False)
        )
        self.back = nn.ModuleList(
            nn.Linear(n, n, bias=False) for n in shape.neurons if shape.is_recurrent
        )
        self.keep = nn.ParameterList(nn.Parameter(_keep(shape, n)) for n in shape.neurons)
        self.out = nn.Linear(shape.neurons[-1], shape.n_outputs)
        keep_out = 1 - shape.tick_s / max(shape.tau_out_s, 2 * shape.tick_s)
        self.keep_out = nn.Parameter(torch.full((shape.n_outputs,), keep_out))
        for back in self.back:
            nn.init.normal_(back.weight, std=0.5 / back.in_features**0.5)
        self.activity = torch.zeros(())

    def forward(self, rows: Tensor) -> Tensor:
        """Return the potentials after each row, (n, n_rows, n_outputs), of (n, n_rows, n_inputs).

        Every sequence begins at rest.
        """
        spikes = self.spikes(rows)
        self.activity = torch.stack([s.mean() for s in spikes]).mean()
        return self._read_out(spikes[-1])

    def spikes(self, rows: Tensor) -> list[Tensor]:
        """Return the spikes of each population, (n_ticks, n, neurons)."""
        found: list[Tensor] = []
        rows = nn.functional.dropout(rows, self.shape.dropout_in, self.training)
        drive = self.into[0](rows).transpose(0, 1).repeat_interleave(self.shape.ticks, dim=0)
        for i, keep in enumerate(self.keep):
            if i:
                drive = self.into[i](found[-1])
            back = self.back[i].weight if self.back else None
            found.append(_Lif.apply(drive, back, keep))
        return found

    def _read_out(self, spikes: Tensor) -> Tensor:
        """Filter the currents of the readout by its leak, and take what is there after each row."""
        ticks = torch.arange(len(spikes))
        ends = ticks[self.shape.ticks - 1 :: self.shape.ticks]
        passed = ends[:, None] - ticks
        keep = self.keep_out[:, None, None]
        share = (1 - keep) * keep ** passed.clamp_min(0) * (passed >= 0)
        return torch.einsum("ort,tno->nro", share, self.out(spikes))

    def constrain(self) -> None:
        """Bring every leak back to where a neuron has a time constant of a tick or more."""
        with torch.no_grad():
            for keep in (*self.keep, self.keep_out):
                keep.clamp_(_LEAST_KEEP, _LARGEST_KEEP)

    def network(self, scaling: Scaling) -> Network:
        """Return what was learned, in the terms of NIR, for rows and values as they are."""
        tick_s = self.shape.tick_s
        moves = scaling.deviation > 0
        divisor = np.where(moves, scaling.deviation, np.inf)
        populations = []
        for i, (into, keep) in enumerate(zip(self.into, self.keep, strict=True)):
            weight, bias = _array(into.weight), _array(into.bias)
            if i == 0:
                weight = weight / divisor
                bias = bias - weight @ scaling.mean
            tau_s = tick_s / (1 - _array(keep))
            nothing = np.zeros(len(bias), np.float32)
            populations.append(
                Population(
                    _single(weight),
                    _single(bias),
                    _single(_array(self.back[i].weight)) if self.back else None,
                    _single(tau_s),
                    _single(tau_s / tick_s),
                    nothing,
                    np.ones(len(bias), np.float32),
                    nothing,
                )
            )
        out = scaling.out_deviation
        tau_out_s = tick_s / (1 - _array(self.keep_out))
        readout = Readout(
            _single(_array(self.out.weight) * out[:, np.newaxis]),
            _single(_array(self.out.bias) * out + scaling.out_mean),
            _single(tau_out_s),
            np.ones(len(out), np.float32),
            np.zeros(len(out), np.float32),
        )
        return Network(tuple(populations), readout, tick_s, self.shape.ticks)


class _Lif(torch.autograd.Function):
    r"""Spikes, (n_ticks, n, neurons), of a population that is driven by currents of that shape.

    A neuron has the potential :math:`u_t = k v_{t-1} + I_t + R s_{t-1}`, spikes above 1,
    :math:`s_t = H(u_t - 1)`, and keeps :math:`v_t = (1 - s_t) u_t`. Going back,
    :math:`H' = 1 / (1 + \pi^2 (u - 1)^2)`.
    """

    @staticmethod
    def forward(ctx: Any, drive: Tensor, back: Tensor | None, keep: Tensor) -> Tensor:
        potential, spikes = torch.empty_like(drive), torch.empty_like(drive)
        kept, fired = torch.zeros_like(drive[0]), torch.zeros_like(drive[0])
        for t, current in enumerate(drive):
            now = torch.addcmul(current, keep, kept, out=potential[t])
            if back is not None:
                now.addmm_(fired, back.T)
            fired = torch.gt(now, 1.0, out=spikes[t])
            kept = torch.addcmul(now, fired, now, value=-1.0)
        ctx.save_for_backward(potential, spikes, back, keep)
        return spikes

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        (from_spikes,) = outputs
        potential, spikes, back, keep = ctx.saved_tensors
        slope = 1.0 / (1.0 + (torch.pi * (potential - 1.0)) ** 2)
        # v = (1 - s) u: how it changes with u, directly and over s.
        held = (1.0 - spikes).addcmul_(potential, slope, value=-1.0)
        driven = from_spikes * slope
        after = None
        for t in range(len(driven) - 1, -1, -1):
            now = driven[t]
            if after is not None:
                now.addcmul_(after * keep, held[t])
                if back is not None:
                    now.addcmul_(after @ back, slope[t])
            after = now
        kept = (1.0 - spikes[:-1]) * potential[:-1]
        to_keep = torch.einsum("tni,tni->i", driven[1:], kept)
        to_back = None
        if back is not None:
            to_back = driven[1:].flatten(0, 1).T @ spikes[:-1].flatten(0, 1)
        return driven, to_back, to_keep


def _keep(shape: Shape, n: int) -> Tensor:
    """Return what each neuron keeps of its potential in a tick, of evenly spread logarithms."""
    shortest, longest = (max(tau_s, 2 * shape.tick_s) for tau_s in shape.tau_s)
    tau_s = torch.logspace(np.log10(shortest), np.log10(longest), n)
    return (1 - shape.tick_s / tau_s).clamp(_LEAST_KEEP, _LARGEST_KEEP)


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().numpy(), np.float64)


def _single(array: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)
