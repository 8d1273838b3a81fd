"""Small spiking networks, drawn at random."""

import numpy as np

from decoders.spiking.network import Network, Population, Readout


def drawn(
    seed: int = 0,
    n_inputs: int = 6,
    neurons: tuple[int, ...] = (12, 9),
    n_outputs: int = 2,
    recurrent: bool = True,
) -> Network:
    """Draw a network that spikes neither always nor never."""
    rng = np.random.default_rng(seed)

    def single(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    tick_s = 0.01
    populations = []
    for n_in, n in zip((n_inputs, *neurons), neurons, strict=False):
        tau_s = rng.uniform(0.011, 0.2, n).astype(np.float32)
        populations.append(
            Population(
                single(n, n_in, scale=0.7),
                single(n, scale=0.2),
                single(n, n, scale=0.3) if recurrent else None,
                tau_s,
                (tau_s / np.float32(tick_s)).astype(np.float32),
                single(n, scale=0.1),
                np.ones(n, np.float32) + np.abs(single(n, scale=0.1)),
                single(n, scale=0.05),
            )
        )
    readout = Readout(
        single(n_outputs, neurons[-1]),
        single(n_outputs),
        np.full(n_outputs, 0.06, np.float32),
        np.ones(n_outputs, np.float32),
        np.zeros(n_outputs, np.float32),
    )
    return Network(tuple(populations), readout, tick_s, 5)
