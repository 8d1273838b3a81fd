"""What a step of a network costs live, in ONNX Runtime beside torch, at a real stream's cadence.

Each network is trained for a moment on noise (what it has learned does not change what a step
costs), and then given one row each hop, idle in between, as live: the decoder's own step in
ONNX Runtime, in float32 and where there is one in 8 bits, and the same network in torch, eager,
on one thread. All is trained first; then the steps get the priority that an engine asks for
(SCHED_FIFO where that is permitted), so that other work on the machine is less in the figures.

    python benchmarks/network_steps.py
    python benchmarks/network_steps.py --steps 1000 --hop-ms 20 --json steps.json
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - found by the line above, like the rest
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from bci_server.scheduling import raise_priority  # noqa: E402
from decoders.decoder import Moment, Training  # noqa: E402
from decoders.models.eeg_tcnet import EegTcnet  # noqa: E402
from decoders.models.eegnet import Eegnet  # noqa: E402
from decoders.models.rnn import Rnn  # noqa: E402
from decoders.models.shallow_convnet import ShallowConvnet  # noqa: E402
from decoders.models.transformer import Transformer  # noqa: E402
from decoders.rows.sample_names import sample_names  # noqa: E402
from decoders.training.classes import classifier  # noqa: E402
from decoders.training.history import Newest  # noqa: E402
from decoders.training.loop import reproducible  # noqa: E402
from decoders.training.recurrent import steps as one_step  # noqa: E402
from decoders.training.values import Trainees  # noqa: E402
from devices.signal import Chunk, Signal  # noqa: E402

WARM_UP = 20
CHANNELS, SAMPLES, RATE_HZ = 22, 250, 125.0
UNITS = 196

Step = Callable[[NDArray[np.float64]], object]
"""Takes one row of features."""


@dataclass(frozen=True)
class Took:
    """One line of the table."""

    network: str
    runs_in: str
    model_kb: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Way:
    """A network, and one way to run it."""

    network: str
    runs_in: str
    step: Step
    model_kb: float
    rows: NDArray[np.float64]


def windows() -> Training:
    """Return windows of EEG, 22 channels of 250 values, of two classes."""
    rng = np.random.default_rng(0)
    before_ms = [(SAMPLES - 1 - i) / RATE_HZ * 1e3 for i in range(SAMPLES)]
    names = sample_names([f"c{i}" for i in range(CHANNELS)], before_ms)
    rows = rng.standard_normal((20, CHANNELS * SAMPLES))
    return Training(Signal(10.0, names, "uV"), rows, np.arange(20) % 2, np.arange(20), ("a", "b"))


def followed() -> Training:
    """Return counts of 196 units, and a velocity that they know something of."""
    rng = np.random.default_rng(1)
    velocity = np.cumsum(rng.standard_normal((600, 2)), axis=0)
    rows = velocity @ rng.standard_normal((2, UNITS)) + rng.standard_normal((600, UNITS))
    signal = Signal(20.0, tuple(f"u{i}" for i in range(UNITS)), "1")
    return Training(signal, rows, velocity, np.zeros(600, np.int64), ("vx", "vy"), "m/s")


def networks() -> Iterator[tuple[str, Any, Training]]:
    """Yield each network's name, its recipe, and what it is trained on."""
    eeg, spikes = windows(), followed()
    yield "eegnet, 22 × 250", Eegnet(epochs=1), eeg
    yield "shallow_convnet, 22 × 250", ShallowConvnet(epochs=1), eeg
    yield "eeg_tcnet, 22 × 250", EegTcnet(epochs=1), eeg
    yield "rnn, LSTM-128, 196 units", Rnn(epochs=1, units=128), spikes
    yield "rnn, GRU-128, 196 units", Rnn(epochs=1, units=128, cell="gru"), spikes
    yield "rnn, 5 × LSTM-160, 196 units", Rnn(epochs=1, units=160, members=5), spikes
    yield "transformer, 20 × 196", Transformer(epochs=1), spikes


def in_onnx(recipe: Any, training: Training) -> tuple[Step, float]:
    """Return the decoder's live step, and how large its weights are, in kB."""
    weights = recipe.fit(training)
    decoding = recipe.start(training.signal, training.labels, training.unit, weights)
    moment, times = Moment(0, 0.0), np.zeros(1)
    size = sum(array.nbytes for array in weights.values()) / 1e3
    return lambda row: decoding(Chunk(times, row[np.newaxis]), moment), size


def in_torch(recipe: Any, training: Training) -> Step:
    """Return the same network's step in torch."""
    with reproducible():
        if isinstance(recipe, Rnn):
            return _recurrent(recipe.trainees(training))
        if isinstance(recipe, Transformer):
            return _history(Newest(recipe.trainees(training)).eval(), recipe.history)
        network = classifier(recipe, training, recipe.network)
    return lambda row: network(
        torch.from_numpy(row.astype(np.float32).reshape(1, CHANNELS, SAMPLES))
    ).numpy()


def _recurrent(trainees: Trainees) -> Step:
    network, members = one_step(trainees), trainees.members
    state = torch.zeros(len(members), *members[0].state_shape)

    def step(row: NDArray[np.float64]) -> object:
        nonlocal state
        values, state = network(torch.from_numpy(row.astype(np.float32)[np.newaxis]), state)
        return values.numpy()

    return step


def _history(network: torch.nn.Module, history: int) -> Step:
    rows = np.zeros((1, history, UNITS), np.float32)

    def step(row: NDArray[np.float64]) -> object:
        rows[0, :-1] = rows[0, 1:]
        rows[0, -1] = row
        return network(torch.from_numpy(rows)).numpy()

    return step


def ways_of(name: str, recipe: Any, training: Training) -> Iterator[Way]:
    """Yield each way to run the network."""
    rows = training.features
    yield Way(name, "ONNX Runtime", *in_onnx(recipe, training), rows)
    if hasattr(recipe, "precision") and getattr(recipe, "cell", "lstm") == "lstm":
        small = replace(recipe, precision="int8")
        yield Way(name, "ONNX Runtime, int8", *in_onnx(small, training), rows)
    yield Way(name, "torch", in_torch(recipe, training), 0.0, rows)


def timed(way: Way, hop_s: float, n: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of a step, in ms, one each hop."""
    took = []
    gc.collect()
    gc.freeze()
    due = time.perf_counter()
    with torch.inference_mode():
        for i in range(WARM_UP + n):
            row = way.rows[i % len(way.rows)]
            due += hop_s
            time.sleep(max(0.0, due - time.perf_counter()))
            begun = time.perf_counter()
            way.step(row)
            took.append((time.perf_counter() - begun) * 1e3)
    gc.unfreeze()
    p50, p99 = np.percentile(took[WARM_UP:], [50, 99])
    return round(float(p50), 3), round(float(p99), 3)


def main() -> None:
    """Measure, and print the table as it comes."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--hop-ms", type=float, default=50.0)
    ask.add_argument("--steps", type=int, default=400)
    ask.add_argument("--json", type=Path, metavar="OUT.json")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    found: list[Took] = []
    ways = [way for network in networks() for way in ways_of(*network)]
    print(f"scheduling: {raise_priority()}; a step each {asked.hop_ms:g} ms\n")
    print("| network | runs in | model kB | p50 ms | p99 ms |")
    print("|---|---|---|---|---|")
    for way in ways:
        p50, p99 = timed(way, asked.hop_ms / 1e3, asked.steps)
        found.append(Took(way.network, way.runs_in, way.model_kb, p50, p99))
        size = f"{way.model_kb:g}" if way.model_kb else ""
        print(f"| {way.network} | {way.runs_in} | {size} | {p50} | {p99} |", flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(line) for line in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
