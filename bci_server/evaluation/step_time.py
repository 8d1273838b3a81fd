"""How long one step of a decoder takes, at the cadence of a real stream."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from bci_server.scheduling import raise_priority
from decoders.decoder import Decoder, Moment, Training, Weights
from devices.signal import Chunk

__all__ = ["step_ms"]

_WARM_UP = 20


def step_ms(
    recipe: Decoder, training: Training, weights: Weights, hop_s: float, steps: int
) -> Sequence[float]:
    """Return how long each step took, in ms: one row of `training` each hop, idle in between.

    In a hot loop the caches stay warm and the figures flatter. Run it in a thread of its own: it
    takes the priority that a live run has.
    """
    raise_priority()
    decoding = recipe.start(training.signal, training.labels, training.unit, weights)
    took = []
    ages = training.ages
    moments = [
        Moment(i, i * hop_s) if ages is None else Moment(int(ages[i]), i * hop_s, cue=0)
        for i in range(len(training.features))
    ]
    due = time.perf_counter()
    for i in range(_WARM_UP + steps):
        at = i % len(training.features)
        chunk = Chunk(np.array([i * hop_s]), training.features[at : at + 1])
        due += hop_s
        time.sleep(max(0.0, due - time.perf_counter()))
        begun = time.perf_counter()
        decoding(chunk, moments[at])
        took.append((time.perf_counter() - begun) * 1e3)
    return took[_WARM_UP:]
