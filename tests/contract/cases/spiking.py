"""Spiking networks, against snnTorch's neurons one tick after the other."""

import numpy as np
from numpy.typing import NDArray

from decoders.decoder import Training
from decoders.models.spiking import Spiking
from decoders.spiking.network import Network
from tests.contract.networks import parts, value_training
from tests.contract.trainings import Case, class_training, fitted

VALUES = Spiking(neurons=(8, 6), ticks=2, epochs=2, batch=8, sequence=16)
CLASSES = Spiking(task="classes", neurons=(8,), ticks=3, epochs=2, batch=8, recurrent=False)


def by_snntorch(recipe: Spiking, training: Training) -> NDArray[np.float64]:
    network = Network.of(fitted(recipe, training))
    if recipe.task == "continuous":
        return np.concatenate([potentials(network, part) for part in parts(training)])
    powers = np.exp(potentials(network, training.features))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def potentials(network: Network, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    import snntorch
    import torch

    def double(array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array.astype(np.float64))

    keep = [1 - network.tick_s / double(p.tau_s) for p in network.populations]
    cells = [
        snntorch.Leaky(beta=k, reset_mechanism="zero", reset_delay=False, threshold=1.0)
        for k in keep
    ]
    readout = network.readout
    keep_out = 1 - network.tick_s / double(readout.tau_s)
    spikes = [torch.zeros(len(p.bias), dtype=torch.float64) for p in network.populations]
    potential = [torch.zeros_like(s) for s in spikes]
    said, out = torch.zeros(len(readout.bias), dtype=torch.float64), []
    for row in rows:
        for _ in range(network.ticks):
            driver = double(row)
            for i, p in enumerate(network.populations):
                current = double(p.weight) @ driver + double(p.bias)
                if p.recurrent is not None:
                    current = current + double(p.recurrent) @ spikes[i]
                # NIR's resistance is a time constant over a tick, but for 32 bits.
                current = current * double(p.r) * (1 - keep[i])
                fired, potential[i] = cells[i](current, potential[i])
                spikes[i] = driver = fired.double()
            current = double(readout.weight) @ driver + double(readout.bias)
            said = keep_out * said + (1 - keep_out) * current
        out.append(said.detach().numpy())
    return np.array(out)


CASES = [
    Case(VALUES, value_training(), by_snntorch),
    Case(CLASSES, class_training(2), by_snntorch),
    Case(CLASSES, class_training(3), by_snntorch),
]
