from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from decoders.stage import Stage
from devices.signal import Chunk, Signal

Blockwise = Callable[..., NDArray[np.float64]]


@pytest.fixture
def blockwise() -> Blockwise:
    """Run a stage over samples in blocks, and return all rows that come out."""

    def run(
        stage: Stage, x: NDArray[np.floating], rate_hz: float = 250.0, block: int = 25
    ) -> NDArray[np.float64]:
        names = tuple(f"c{i}" for i in range(x.shape[1]))
        step = stage.start(Signal(rate_hz, names, "uV"), block)
        times = np.arange(len(x)) / rate_hz
        rows = [
            step(Chunk(times[i : i + block], x[i : i + block])).values.copy()
            for i in range(0, len(x) - block + 1, block)
        ]
        return np.concatenate(rows)

    return run


@pytest.fixture
def noise() -> NDArray[np.float32]:
    """(2500, 3): ten seconds of noise at 250 Hz, in µV."""
    return (np.random.default_rng(7).standard_normal((2500, 3)) * 20 + 3).astype(np.float32)
