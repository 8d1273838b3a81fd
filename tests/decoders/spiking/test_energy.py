"""Operations, counted by hand."""

import numpy as np
import pytest

from decoders.spiking.energy import Operations, dense, gated, recurrent, spiking
from decoders.spiking.network import raster
from tests.decoders.spiking.made import drawn


def test_every_spike_adds_a_weight_for_each_neuron_that_it_reaches() -> None:
    network = drawn(neurons=(12, 9), n_outputs=2)
    counts = np.random.default_rng(0).poisson(0.8, (50, network.n_inputs)).astype(float)
    (first, second), _ = raster(network, counts)
    n_neurons = 12 + 9 + 2
    additions = (
        counts.sum() * 12 + first.sum() * (9 + 12) + second.sum() * (2 + 9)
    ) / 50 + n_neurons * network.ticks
    found = spiking(network, counts)
    assert found.additions == pytest.approx(additions)
    assert found.multiply_adds == n_neurons * network.ticks


def test_values_that_are_no_counts_are_multiplied_once_a_row() -> None:
    network = drawn()
    rows = np.random.default_rng(0).standard_normal((50, network.n_inputs))
    by_counts = spiking(network, np.round(np.abs(rows)))
    assert spiking(network, rows).multiply_adds == by_counts.multiply_adds + 6 * 12


def test_a_silent_network_costs_its_leaks_alone() -> None:
    network = drawn(recurrent=False)
    quiet = spiking(network, np.zeros((10, network.n_inputs)))
    loud = spiking(network, np.full((10, network.n_inputs), 9.0))
    assert quiet.energy_nj < loud.energy_nj


def test_networks_without_spikes_multiply_every_weight() -> None:
    assert dense(1960, 2) == Operations(2, 3920)
    assert recurrent(196, 100, 2) == Operations(202, 19600 + 10000 + 200)
    lstm = 4 * (196 * 96 + 96 * 96 + 96) + 96 * 2
    assert gated(196, 96, 2, gates=4).multiply_adds == lstm
    assert Operations(1000, 1000).energy_nj == pytest.approx(0.9 + 4.6)
