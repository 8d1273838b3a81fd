"""Spiking neurons against the theory, and against snnTorch's."""

import math

import numpy as np
import pytest

from decoders.spiking.network import Network, Population, Readout, raster
from tests.decoders.spiking.made import drawn


def one_neuron(tau_s: float, tick_s: float = 0.001) -> Network:
    def ones(value: float) -> np.ndarray:
        return np.array([value], np.float32)

    return Network(
        (
            Population(
                np.ones((1, 1), np.float32),
                ones(0.0),
                None,
                ones(tau_s),
                ones(1.0),
                ones(0.0),
                ones(1.0),
                ones(0.0),
            ),
        ),
        Readout(np.ones((1, 1), np.float32), ones(0.0), ones(0.05), ones(1.0), ones(0.0)),
        tick_s,
        10,
    )


@pytest.mark.parametrize("current", [1.1, 1.5, 4.0])
def test_a_steady_current_gives_the_interval_that_follows_from_the_leak(current: float) -> None:
    network = one_neuron(tau_s=0.02)
    ((fired,), _) = raster(network, np.full((60, 1), current))
    at = np.flatnonzero(fired[:, 0])
    # After n steps from 0, v = I (1 − (1 − d)ⁿ); the first above 1 is a spike.
    share = 0.001 / 0.02
    interval = math.floor(math.log(1 - 1 / current) / math.log(1 - share)) + 1
    assert set(np.diff(at)) == {interval}
    assert at[0] == interval - 1


def test_a_current_below_threshold_never_makes_a_spike() -> None:
    ((fired,), said) = raster(one_neuron(0.02), np.full((60, 1), 0.999))
    assert not fired.any()
    assert not said.any()


def test_spikes_and_potentials_are_snntorch_s() -> None:
    torch = pytest.importorskip("torch")
    snntorch = pytest.importorskip("snntorch")
    network = drawn()
    rows = np.random.default_rng(1).standard_normal((40, network.n_inputs))
    cells = []
    for p in network.populations:
        keep = 1 - network.tick_s / p.tau_s.astype(np.float64)
        cells.append(
            snntorch.Leaky(
                beta=torch.from_numpy(keep),
                threshold=torch.from_numpy(p.v_threshold.astype(np.float64)),
                reset_mechanism="zero",
                reset_delay=False,
            )
        )
    spikes = [torch.zeros(len(p.bias), dtype=torch.float64) for p in network.populations]
    potentials = [torch.zeros_like(s) for s in spikes]
    expected: list[list[np.ndarray]] = [[] for _ in cells]
    for row in rows:
        for _ in range(network.ticks):
            driver = torch.from_numpy(row)
            for i, (cell, p) in enumerate(zip(cells, network.populations, strict=True)):
                share = network.tick_s / p.tau_s.astype(np.float64)
                current = torch.from_numpy(p.weight).double() @ driver
                current += torch.from_numpy(p.recurrent).double() @ spikes[i]
                current += torch.from_numpy(p.bias)
                drive = torch.from_numpy(share) * (
                    current * torch.from_numpy(p.r) + torch.from_numpy(p.v_leak)
                )
                before = potentials[i]
                fired, potentials[i] = cell(drive, before)
                spikes[i] = fired.double()
                # snnTorch sets back to 0; to another potential, NIR's neurons.
                potentials[i] = potentials[i] + spikes[i] * torch.from_numpy(p.v_reset)
                expected[i].append(spikes[i].numpy() > 0)
                driver = spikes[i]
    found, _ = raster(network, rows)
    for spiked, meant in zip(found, expected, strict=True):
        assert (spiked == np.array(meant)).all()
        assert 0.02 < spiked.mean() < 0.9


def test_what_a_row_left_behind_counts_for_the_next() -> None:
    network = drawn()
    rows = np.random.default_rng(2).standard_normal((2, network.n_inputs))
    after_another, fresh = network.start(), network.start()
    after_another(rows[0])
    assert (after_another(rows[1]) != fresh(rows[1])).any()


def test_arrays_describe_the_whole_network() -> None:
    for recurrent in (True, False):
        network = drawn(recurrent=recurrent)
        again = Network.of(network.arrays())
        rows = np.random.default_rng(3).standard_normal((20, network.n_inputs))
        first, second = raster(network, rows), raster(again, rows)
        assert all((a == b).all() for a, b in zip(first[0], second[0], strict=True))
        assert (first[1] == second[1]).all()
        assert (again.tick_s, again.ticks) == (network.tick_s, network.ticks)
