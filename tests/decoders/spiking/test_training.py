"""A spiking network in training: its spikes and gradients against snnTorch's, step by step."""

from itertools import pairwise

import numpy as np
import pytest

from decoders.spiking.network import raster

torch = pytest.importorskip("torch")

from decoders.spiking.training import Scaling, Shape, SpikingNet  # noqa: E402 - needs torch

SHAPE = Shape(5, (11, 7), 2, True, 0.01, 3, (0.02, 0.2), 0.06)


def a_network(shape: Shape = SHAPE) -> SpikingNet:
    torch.manual_seed(2)
    return SpikingNet(shape).double()


def by_snntorch(net: SpikingNet, rows: "torch.Tensor") -> "torch.Tensor":
    """Return what the network says, by snnTorch's neurons, one tick after the other."""
    snntorch = pytest.importorskip("snntorch")
    cells = [
        snntorch.Leaky(
            beta=keep,
            spike_grad=snntorch.surrogate.atan(),
            reset_mechanism="zero",
            reset_delay=False,
        )
        for keep in net.keep
    ]
    spikes = [torch.zeros(len(rows), n, dtype=rows.dtype) for n in net.shape.neurons]
    potential = [torch.zeros_like(s) for s in spikes]
    said = torch.zeros(len(rows), net.shape.n_outputs, dtype=rows.dtype)
    after = []
    for row in rows.unbind(dim=1):
        for _ in range(net.shape.ticks):
            driver = row
            for i, cell in enumerate(cells):
                current = net.into[i](driver)
                if net.back:
                    current = current + net.back[i](spikes[i])
                fired, potential[i] = cell(current, potential[i])
                spikes[i] = driver = fired.to(rows.dtype)
            said = net.keep_out * said + (1 - net.keep_out) * net.out(spikes[-1])
        after.append(said)
    return torch.stack(after, dim=1)


@pytest.mark.parametrize("recurrent", [True, False])
def test_outputs_and_gradients_are_snntorch_s(recurrent: bool) -> None:
    net = a_network(Shape(5, (11, 7), 2, recurrent, 0.01, 3, (0.02, 0.2), 0.06))
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 12, 5)) * 3)
    found = []
    for say in (net, lambda x: by_snntorch(net, x)):
        net.zero_grad()
        said = say(rows)
        (said**2).sum().backward()
        found.append((said.detach(), [p.grad.clone() for p in net.parameters()]))
    (said, gradients), (said_by, gradients_by) = found
    assert torch.allclose(said, said_by, rtol=1e-9, atol=1e-12)
    for (name, _), own, theirs in zip(net.named_parameters(), gradients, gradients_by, strict=True):
        assert theirs.abs().max() > 0, name
        # snnTorch's gradients pass through spikes in 32 bits.
        assert torch.allclose(own, theirs, rtol=1e-5, atol=1e-6), name


def test_what_is_exported_takes_rows_as_they_are() -> None:
    net, rng = a_network(), np.random.default_rng(1)
    scaling = Scaling(
        rng.standard_normal(5),
        np.array([2.0, 0.5, 1.0, 0.0, 3.0]),
        np.array([7.0, -2.0]),
        np.ones(2),
    )
    rows = rng.standard_normal((30, 5)) * scaling.deviation * 3 + scaling.mean
    with torch.no_grad():
        meant = torch.from_numpy(scaling.rows(rows).astype(np.float64))[None]
        spikes = [s[:, 0].numpy() > 0 for s in net.spikes(meant)]
    found, said = raster(net.network(scaling), rows)
    for own, exported in zip(spikes, found, strict=True):
        # Weights are exported in 32 bits, so now and then a spike is a tick earlier or later.
        assert (own != exported).mean() < 0.01
        assert own.any()
    assert np.abs(said[-5:].mean(axis=0) - scaling.out_mean).max() < 2


def test_leaks_stay_where_a_neuron_is_one() -> None:
    net = a_network()
    with torch.no_grad():
        net.keep[0][0], net.keep[0][1], net.keep_out[0] = 1.7, -0.3, 2.0
    net.constrain()
    network = net.network(Scaling(np.zeros(5), np.ones(5), np.zeros(2), np.ones(2)))
    for population in network.populations:
        assert (population.tau_s >= 0.01).all()
        assert (population.tau_s <= 10.01).all()
    assert network.readout.tau_s.max() == pytest.approx(10.0, rel=1e-3)


def test_time_constants_begin_evenly_spread() -> None:
    network = a_network(Shape(5, (9,), 2, True, 0.01, 3, (0.02, 0.32), 0.06)).network(
        Scaling(np.zeros(5), np.ones(5), np.zeros(2), np.ones(2))
    )
    tau_s = network.populations[0].tau_s
    ratios = [b / a for a, b in pairwise(tau_s)]
    assert tau_s[0] == pytest.approx(0.02)
    assert tau_s[-1] == pytest.approx(0.32, rel=1e-5)
    assert ratios == pytest.approx([2**0.5] * 8, rel=1e-4)
